import type { Db } from '../db/index.js';
import { compositeOf, pickMetrics } from '../stats/index.js';
import { type FrozenSettings, slowLimitsOf } from './experiment.js';
import { type MetricRule, metricsOf } from './metric-rules.js';
import { metricSumsSql, toMeasuredArm } from './metric-sums-sql.js';

/** What a metric was over past interactions. */
export interface MetricHistory {
  value: number;
  /** Of one measurement, with what measurements of one subject have in common: n times the variance of the value. */
  variance: number;
  /** Interactions it was measured on; of a composite, those of the part with fewest. */
  n: number;
}

export interface PastInteractions {
  model: string;
  /** Who answered; null: whoever. */
  version: number | null;
  /** Asked after and until. */
  from: Date;
  to: Date;
  asOf: Date;
  /** Only what somebody asked who gave a subject; others count as somebody of their own. */
  subjectsOnly: boolean;
}

/** What says what the primary metric is. */
export interface PrimarySettings extends Pick<FrozenSettings, 'min_rating' | 'slow_limits_ms'> {
  experiment: Pick<FrozenSettings['experiment'], 'primary'> & Partial<Pick<FrozenSettings['experiment'], 'metrics'>>;
}

/** Reads what a metric was before. Null where it does not vary, or was not measured on two subjects. */
export async function metricHistory(
  db: Pick<Db, 'pool'>,
  past: PastInteractions,
  settings: PrimarySettings,
  rule: MetricRule,
): Promise<MetricHistory | null> {
  const metrics = metricsOf(settings.experiment, [rule]);
  const parameters: unknown[] = [past.model, past.from, past.to, past.asOf];
  const parameter = (value: unknown) => `$${parameters.push(value)}`;
  const { rows } = await db.pool.query<Record<string, unknown>>(
    `
WITH asked AS (
  SELECT i.id, coalesce(i.subject, i.id::text) AS subject, 'all' AS arm, i.response, i.status, i.tags, i.latency_ms, i.prompt_tokens,
         i.completion_tokens, i.version
    FROM interactions i
   WHERE i.model = $1 AND i.asked_at > $2 AND i.asked_at <= $3 AND i.received_at <= $4
     ${past.version === null ? '' : `AND i.version = ${parameter(past.version)}`}
     ${past.subjectsOnly ? 'AND i.subject IS NOT NULL' : ''}
), cut AS (
  SELECT DISTINCT subject, arm, false AS in_both FROM asked
), ${metricSumsSql(metrics, {
      ...{ interactions: 'asked', asOf: '$4', minRating: settings.min_rating, parameter },
      slowLimits: slowLimitsOf(settings),
    })}`,
    parameters,
  );
  const all = toMeasuredArm(rows[0], metrics.length);
  const parts = Object.keys(rule.weights);
  const picked = parts.map((part) => metrics.findIndex(({ name }) => name === part));
  const least = (of: 'n' | 'subjects') => Math.min(...picked.map((j) => all.measured[j]![of]));
  const weights = parts.map((part) => rule.weights[part]!);
  const figure = compositeOf(pickMetrics(all, picked, least('subjects')), weights);
  if (figure === null || !(figure.variance > 0)) return null;
  return { value: figure.value, variance: figure.variance * least('n'), n: least('n') };
}
