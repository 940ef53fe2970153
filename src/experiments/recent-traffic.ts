import type { Db } from '../db/index.js';
import { latestOutcomes } from '../interactions/index.js';
import { correlationOf, designEffect } from '../stats/index.js';

/** What the last look of an experiment would have seen of a model's traffic, both arms together, had it just ended. */
export interface RecentTraffic {
  /** Asked by somebody: only who gives a subject can be in an experiment. */
  interactions: number;
  /** Of these, with an outcome. */
  outcomes: number;
  /** Different subjects with an outcome. */
  subjects: number;
  /** outcomes/interactions; null without interactions. */
  ratingRate: number | null;
  /** Positive share of the outcomes; null without outcomes. */
  positive: number | null;
  /** D, and the correlation between outcomes of one subject that makes it; null with fewer than two subjects. */
  design: number | null;
  correlation: number | null;
  /** How long was looked at, in days; less than asked for where the model is younger. */
  days: number;
}

const DAY = 86_400_000;

const TRAFFIC = `
WITH asked AS (
  SELECT i.id, i.subject, i.response, i.asked_at
    FROM interactions i
   WHERE i.model = $1 AND i.subject IS NOT NULL AND i.asked_at > $2 AND i.asked_at <= $3 AND i.received_at <= $4
), outcomes AS (
  ${latestOutcomes({ interactions: 'asked', asOf: '$4', minRating: '$5' })}
), subjects AS (
  SELECT count(*) AS e, count(outcomes.outcome) AS m, coalesce(sum(outcomes.outcome), 0) AS x, min(asked.asked_at) AS first
    FROM asked LEFT JOIN outcomes ON outcomes.interaction_id = asked.id
   GROUP BY asked.subject
)
SELECT count(*) FILTER (WHERE m > 0) AS "N", coalesce(sum(e), 0) AS "E", coalesce(sum(m), 0) AS n, coalesce(sum(x), 0) AS x,
       coalesce(sum(m * m), 0) AS m2, coalesce(sum(x * x), 0) AS x2, coalesce(sum(x * m), 0) AS xm,
       extract(epoch FROM $3::timestamptz - min(first)) * 1000 AS ms
  FROM subjects`;

/**
 * Reads the traffic of a model, whoever answered, in the `spanMs` before `asOf` − `feedbackWindowMs`: what came later may
 * still be rated.
 */
export async function readRecentTraffic(
  db: Pick<Db, 'pool'>,
  request: { model: string; asOf: Date; spanMs: number; feedbackWindowMs: number; minRating: number },
): Promise<RecentTraffic> {
  const { model, asOf, spanMs, feedbackWindowMs, minRating } = request;
  const to = asOf.getTime() - feedbackWindowMs;
  const { rows } = await db.pool.query<Record<string, string | null>>(TRAFFIC, [
    ...[model, new Date(to - spanMs), new Date(to), asOf, minRating],
  ]);
  const of = (name: string) => Number(rows[0]![name]);
  const sums = { N: of('N'), n: of('n'), x: of('x'), m2: of('m2'), x2: of('x2'), xm: of('xm') };
  const [interactions, outcomes, subjects] = [of('E'), sums.n, sums.N];
  const design = designEffect(sums);
  // Ratings a subject: mean, and spread in shares of the mean.
  const mean = outcomes / subjects;
  const cv = Math.sqrt(Math.max(0, sums.m2 / subjects - mean * mean)) / mean;
  return {
    ...{ interactions, outcomes, subjects, design },
    ratingRate: interactions === 0 ? null : outcomes / interactions,
    positive: outcomes === 0 ? null : sums.x / outcomes,
    correlation: design === null ? null : correlationOf(design, mean, cv),
    // A model that is older than what was looked at has asked at its very beginning as well, more or less.
    days: interactions === 0 ? 0 : spanSeen(of('ms'), spanMs) / DAY,
  };
}

/** Where the first tenth is empty the traffic began later; otherwise the gap is chance. At least a second. */
function spanSeen(sinceFirst: number, span: number): number {
  return sinceFirst >= 0.9 * span ? span : Math.max(1_000, sinceFirst);
}
