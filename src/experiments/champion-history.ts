import type { Db } from '../db/index.js';
import { latestOutcomes } from '../interactions/index.js';
import { designEffect, type Prior } from '../stats/index.js';

const DAYS_30 = 30 * 86_400_000;

const HISTORY = `
WITH asked AS (
  SELECT i.id, i.subject, i.response
    FROM interactions i
   WHERE i.model = $1 AND i.version = $2 AND i.asked_at > $3 AND i.asked_at <= $4 AND i.received_at <= $4
), outcomes AS (
  ${latestOutcomes({ interactions: 'asked', asOf: '$4', minRating: '$5' })}
), subjects AS (
  -- Whoever gave no subject counts as somebody of their own.
  SELECT count(*) AS m, sum(outcomes.outcome) AS x
    FROM asked JOIN outcomes ON outcomes.interaction_id = asked.id
   GROUP BY coalesce(asked.subject, asked.id::text)
)
SELECT count(*) AS "N", coalesce(sum(m), 0) AS n, coalesce(sum(x), 0) AS x, coalesce(sum(m * m), 0) AS m2,
       coalesce(sum(x * x), 0) AS x2, coalesce(sum(x * m), 0) AS xm
  FROM subjects`;

/**
 * What is known of a version before an experiment: positive share p₀ and design effect D₀ of what it answered in the 30
 * days before `asOf`. Null without outcomes, without variation or with fewer than two subjects.
 */
export async function championHistory(
  db: Pick<Db, 'pool'>,
  request: { model: string; version: number; asOf: Date; minRating: number },
): Promise<Prior | null> {
  const { model, version, asOf, minRating } = request;
  const from = new Date(asOf.getTime() - DAYS_30);
  const { rows } = await db.pool.query<Record<string, string>>(HISTORY, [model, version, from, asOf, minRating]);
  const sum = (name: string) => Number(rows[0]![name]);
  const sums = { N: sum('N'), n: sum('n'), x: sum('x'), m2: sum('m2'), x2: sum('x2'), xm: sum('xm') };
  const D0 = designEffect(sums);
  if (D0 === null || sums.x === 0 || sums.x === sums.n) return null;
  return { p0: sums.x / sums.n, D0 };
}
