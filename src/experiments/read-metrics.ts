import type { Db } from '../db/index.js';
import type { MeasuredMetric } from '../policy/index.js';
import { CUT_SQL } from './cut-sql.js';
import { type MeasuredArm, metricSumsSql, toMeasuredArm } from './metric-sums-sql.js';
import type { CutRequest } from './read-arms.js';

export interface MetricsRequest extends CutRequest {
  metrics: readonly MeasuredMetric[];
  /** Q of the slow_rate metrics by their names, in milliseconds. */
  slowLimits: Readonly<Record<string, number | null>>;
}

/** What was measured in both arms. */
export interface MeasuredCut {
  /** Names of the metrics, in order. */
  names: readonly string[];
  champion: MeasuredArm;
  second: MeasuredArm;
}

/** Reads metrics of both arms of an experiment as of T over the same cut as `readArms`, without subjects seen in both. */
export async function readMetrics(db: Pick<Db, 'pool'>, request: MetricsRequest): Promise<MeasuredCut> {
  const { experimentId, secondArm, asOf, feedbackWindowMs, minRating, metrics, slowLimits } = request;
  const parameters: unknown[] = [experimentId, asOf, new Date(asOf.getTime() - feedbackWindowMs)];
  const parameter = (value: unknown) => `$${parameters.push(value)}`;
  const names = { interactions: 'asked', asOf: '$2', minRating, parameter, slowLimits };
  const sums = metricSumsSql(metrics, names);
  const { rows } = await db.pool.query<Record<string, unknown>>(`${CUT_SQL}, ${sums}`, parameters);
  const arm = (name: string) =>
    toMeasuredArm(
      rows.find((row) => row.arm === name),
      metrics.length,
    );
  return { names: metrics.map(({ name }) => name), champion: arm('champion'), second: arm(secondArm) };
}
