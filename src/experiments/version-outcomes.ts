import type { Db } from '../db/index.js';
import { outcomesOf } from '../interactions/index.js';
import { type MeasuredMetric, POSITIVE_FEEDBACK } from '../policy/index.js';
import type { ClusterSums } from '../stats/index.js';

/** The statement, whatever says what an outcome is. */
function outcomesSql(outcomes: string): string {
  return `
WITH asked AS (
  SELECT i.id, i.subject, i.response, i.status, i.tags, i.latency_ms, i.prompt_tokens, i.completion_tokens, i.version
    FROM interactions i
   WHERE i.model = $1 AND i.version = $2 AND i.asked_at > $3 AND i.asked_at <= $4 AND i.received_at <= $4
), outcomes AS (
  ${outcomes}
), subjects AS (
  -- Whoever gave no subject counts as somebody of their own.
  SELECT count(*) AS m, sum(outcomes.outcome) AS x
    FROM asked JOIN outcomes ON outcomes.interaction_id = asked.id
   GROUP BY coalesce(asked.subject, asked.id::text)
)
SELECT count(*) AS "N", coalesce(sum(m), 0) AS n, coalesce(sum(x), 0) AS x, coalesce(sum(m * m), 0) AS m2,
       coalesce(sum(x * x), 0) AS x2, coalesce(sum(x * m), 0) AS xm
  FROM subjects`;
}

/**
 * What was thought of a version's answers: the outcomes of what it answered from `from` (exclusive) to `asOf`, as known at
 * `asOf`, summed over subjects.
 */
export async function versionOutcomes(
  db: Pick<Db, 'pool'>,
  request: {
    model: string;
    version: number;
    from: Date;
    asOf: Date;
    minRating: number;
    /** What says what an outcome is; positive feedback when left out. */
    primary?: MeasuredMetric;
    slowLimits?: Readonly<Record<string, number | null>>;
  },
): Promise<ClusterSums> {
  const { model, version, from, asOf, minRating, slowLimits = {} } = request;
  const parameters: unknown[] = [model, version, from, asOf];
  const outcomes = outcomesOf(request.primary ?? POSITIVE_FEEDBACK, {
    ...{ interactions: 'asked', asOf: '$4', minRating, slowLimits },
    parameter: (value) => `$${parameters.push(value)}`,
  });
  const { rows } = await db.pool.query<Record<string, string>>(outcomesSql(outcomes), parameters);
  const sum = (name: string) => Number(rows[0]![name]);
  return { N: sum('N'), n: sum('n'), x: sum('x'), m2: sum('m2'), x2: sum('x2'), xm: sum('xm') };
}
