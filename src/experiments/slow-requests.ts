import type { Db } from '../db/index.js';
import { FAILED_IN_ARM_SQL } from '../interactions/index.js';
import type { Policy } from '../policy/index.js';

const DAYS_7 = 7 * 86_400_000;

/** Fewer answers than this make no 95th percentile that may be held against a challenger for days. */
const LEAST_HISTORY = 1_000;

const HISTORY = `
SELECT count(*) AS answers, percentile_cont(0.95) WITHIN GROUP (ORDER BY i.latency_ms) AS p95
  FROM interactions i
 WHERE i.model = $1 AND ($2::integer IS NULL OR i.version = $2) AND i.asked_at > $3 AND i.asked_at <= $4 AND i.received_at <= $4
   AND i.latency_ms IS NOT NULL AND NOT ${FAILED_IN_ARM_SQL}`;

/**
 * Q, from which a request is slow: `maxRatio` times the 95th percentile of what the version (null: whoever) needed for its answers in
 * the 7 days before `asOf`, in milliseconds. Null with fewer than 1,000 of them.
 */
export async function slowLimit(
  db: Pick<Db, 'pool'>,
  request: { model: string; version: number | null; asOf: Date; maxRatio: number },
): Promise<number | null> {
  const { model, version, asOf, maxRatio } = request;
  const from = new Date(asOf.getTime() - DAYS_7);
  const { rows } = await db.pool.query<{ answers: string; p95: number | null }>(HISTORY, [model, version, from, asOf]);
  const { answers, p95 } = rows[0]!;
  return Number(answers) < LEAST_HISTORY || p95 === null ? null : maxRatio * p95;
}

/** Q of each slow_rate metric of a policy, by the metrics' names. */
export async function slowLimitsOfMetrics(
  db: Pick<Db, 'pool'>,
  { name: model, experiment }: Pick<Policy, 'name' | 'experiment'>,
  version: number | null,
  asOf: Date,
): Promise<Record<string, number | null>> {
  const limits: Record<string, number | null> = {};
  for (const metric of experiment.metrics) {
    if (metric.kind !== 'slow_rate') continue;
    limits[metric.name] = await slowLimit(db, { model, version, asOf, maxRatio: metric.max_ratio });
  }
  return limits;
}

const ARMS = `
WITH requests AS (
  SELECT i.arm, i.latency_ms, ${FAILED_IN_ARM_SQL} AS failed
    FROM interactions i
   WHERE i.experiment_id = $1 AND i.arm = ANY ($2) AND i.asked_at <= $3 AND i.received_at <= $3
), q AS (
  SELECT coalesce($4, (SELECT $5 * percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms)
                         FROM requests WHERE arm = 'champion' AND NOT failed))::double precision AS ms
)
SELECT q.ms, arms.arm, count(requests.arm) FILTER (WHERE requests.latency_ms IS NULL OR requests.latency_ms > q.ms) AS slow
  FROM q CROSS JOIN unnest($2::text[]) AS arms (arm)
  LEFT JOIN requests ON requests.arm = arms.arm
 GROUP BY q.ms, arms.arm`;

/** Slow requests of both arms; nothing is counted (null) where there is no Q yet. */
export interface SlowRequests {
  /** Q, in milliseconds. */
  limitMs: number;
  champion: number;
  second: number;
}

/**
 * Counts the requests of both arms up to T = `asOf` that took longer than Q: `limitMs`, or where it is null `maxRatio` times
 * the 95th percentile of the champion arm's answers so far. A request of which nobody measured how long it took counts as
 * slow: unknown is not healthy.
 */
export async function countSlow(
  db: Pick<Db, 'pool'>,
  request: { experimentId: string; secondArm: string; asOf: Date; limitMs: number | null; maxRatio: number },
): Promise<SlowRequests | null> {
  const { experimentId, secondArm, asOf, limitMs, maxRatio } = request;
  const { rows } = await db.pool.query<{ ms: number | null; arm: string; slow: string }>(ARMS, [
    ...[experimentId, ['champion', secondArm], asOf, limitMs, maxRatio],
  ]);
  const slow = (arm: string) => Number(rows.find((row) => row.arm === arm)!.slow);
  const [{ ms } = { ms: null }] = rows;
  return ms === null ? null : { limitMs: ms, champion: slow('champion'), second: slow(secondArm) };
}
