import type { Db } from '../db/index.js';
import { outcomesOf } from '../interactions/index.js';
import { correlationOf, designEffect } from '../stats/index.js';
import { slowLimitsOf } from './experiment.js';
import { metricHistory, type PrimarySettings } from './metric-history.js';
import { outcomeMetricOf, ruleOfPrimary } from './metric-rules.js';

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
  /** Positive share of the outcomes, or the mean of a primary metric that is no share; null without outcomes. */
  positive: number | null;
  /**
   * D, and the correlation between outcomes of one subject that makes it; null with fewer than two subjects, and of a metric
   * that is no share.
   */
  design: number | null;
  correlation: number | null;
  /** Of one measurement of a primary metric that is no share, with what those of one subject have in common; else null. */
  variance: number | null;
  /** How long was looked at, in days; less than asked for where the model is younger. */
  days: number;
}

const DAY = 86_400_000;

/** The statement of the sums of a model's outcomes, whatever says what an outcome is. */
function trafficSql(outcomes: string): string {
  return `
WITH asked AS (
  SELECT i.id, i.subject, i.response, i.asked_at, i.status, i.tags, i.latency_ms, i.prompt_tokens, i.completion_tokens, i.version
    FROM interactions i
   WHERE i.model = $1 AND i.subject IS NOT NULL AND i.asked_at > $2 AND i.asked_at <= $3 AND i.received_at <= $4
), outcomes AS (
  ${outcomes}
), subjects AS (
  SELECT count(*) AS e, count(outcomes.outcome) AS m, coalesce(sum(outcomes.outcome), 0) AS x, min(asked.asked_at) AS first
    FROM asked LEFT JOIN outcomes ON outcomes.interaction_id = asked.id
   GROUP BY asked.subject
)
SELECT count(*) FILTER (WHERE m > 0) AS "N", coalesce(sum(e), 0) AS "E", coalesce(sum(m), 0) AS n, coalesce(sum(x), 0) AS x,
       coalesce(sum(m * m), 0) AS m2, coalesce(sum(x * x), 0) AS x2, coalesce(sum(x * m), 0) AS xm,
       extract(epoch FROM $3::timestamptz - min(first)) * 1000 AS ms
  FROM subjects`;
}

/**
 * Reads the traffic of a model, whoever answered, in the `spanMs` before `asOf` − `feedbackWindowMs`: what came later may
 * still be rated.
 */
export async function readRecentTraffic(
  db: Pick<Db, 'pool'>,
  request: { model: string; asOf: Date; spanMs: number; feedbackWindowMs: number; settings: PrimarySettings },
): Promise<RecentTraffic> {
  const { model, asOf, spanMs, feedbackWindowMs, settings } = request;
  const to = asOf.getTime() - feedbackWindowMs;
  const parameters: unknown[] = [model, new Date(to - spanMs), new Date(to), asOf];
  const outcomeSql = outcomesOf(outcomeMetricOf(settings.experiment), {
    ...{ interactions: 'asked', asOf: '$4', minRating: settings.min_rating, slowLimits: slowLimitsOf(settings) },
    parameter: (value) => `$${parameters.push(value)}`,
  });
  const { rows } = await db.pool.query<Record<string, string | null>>(trafficSql(outcomeSql), parameters);
  const rule = ruleOfPrimary(settings.experiment);
  const past = { model, version: null, from: new Date(to - spanMs), to: new Date(to), asOf, subjectsOnly: true };
  const number = rule?.type === 'number' ? await metricHistory(db, past, settings, rule) : undefined;
  const of = (name: string) => Number(rows[0]![name]);
  const sums = { N: of('N'), n: of('n'), x: of('x'), m2: of('m2'), x2: of('x2'), xm: of('xm') };
  const [interactions, outcomes, subjects] = [of('E'), sums.n, sums.N];
  const design = number === undefined ? designEffect(sums) : null;
  // Ratings a subject: mean, and spread in shares of the mean.
  const mean = outcomes / subjects;
  const cv = Math.sqrt(Math.max(0, sums.m2 / subjects - mean * mean)) / mean;
  return {
    ...{ interactions, outcomes, subjects, design },
    ratingRate: interactions === 0 ? null : outcomes / interactions,
    positive: number !== undefined ? (number?.value ?? null) : outcomes === 0 ? null : sums.x / outcomes,
    variance: number?.variance ?? null,
    correlation: design === null ? null : correlationOf(design, mean, cv),
    // A model that is older than what was looked at has asked at its very beginning as well, more or less.
    days: interactions === 0 ? 0 : spanSeen(of('ms'), spanMs) / DAY,
  };
}

/** Where the first tenth is empty the traffic began later; otherwise the gap is chance. At least a second. */
function spanSeen(sinceFirst: number, span: number): number {
  return sinceFirst >= 0.9 * span ? span : Math.max(1_000, sinceFirst);
}
