import {
  type ArmSums,
  alwaysValidBound,
  alwaysValidHalfWidth,
  initialInformation,
  newcombeLimits,
  normalIsf,
  wilsonLimits,
} from '../stats/index.js';
import { compareMetric, improvement, type MeasuredArms } from './compare-metric.js';
import type { MetricRule } from './metric-rules.js';

/** A promise about requests that a better answer does not buy off. Margins are absolute, in shares of requests. */
export type Guardrail =
  | { readonly metric: 'error_rate'; readonly margin: number }
  | { readonly metric: 'slow_rate'; readonly maxRatio: number }
  /** a declared metric, margin in its unit */
  | { readonly metric: string; readonly margin: number };

/** Requests by assigned arm. */
export type GuardedArm = Pick<ArmSums, 'requests' | 'errors' | 'slow'>;

export interface GuardedRequests {
  /** of a declared metric the interactions it was measured on */
  readonly requests: number;
  /** failed, or slow; null when nobody counted, and of a declared metric */
  readonly failed: number | null;
}

export interface GuardrailResult {
  readonly metric: string;
  /** the margin; slow_rate: the share of slow requests allowed */
  readonly limit: number;
  readonly champion: GuardedRequests;
  readonly challenger: GuardedRequests;
  /** how much worse the challenger is; null without requests in an arm, or when they were not counted */
  readonly delta: number | null;
  /** always-valid lower limit of `delta`; null before there is enough to judge, and for slow_rate */
  readonly lower: number | null;
  /**
   * one-sided 95 % upper limit: Newcombe's of `delta` (error_rate), Wilson's of the challenger's share (slow_rate), by the
   * delta method of `delta` (other metrics; infinite when nothing is known, which is null in JSON)
   */
  readonly upper: number;
  /** the arm is certainly worse than allowed: stop, at any time */
  readonly tripped: boolean;
  /** the arm is certainly within what is allowed: needed for a promotion */
  readonly shown: boolean;
}

export interface GuardedMetrics {
  readonly rules?: readonly MetricRule[];
  readonly measured?: MeasuredArms;
}

/** Requests in the challenger arm from which an error rate is judged. */
export const MIN_GUARDED_REQUESTS = 20;

/** A challenger may have fewer than this share of requests slower than Q = max_ratio × the champion's p95. */
const SLOW_LIMIT = 0.05;

const Z_ONE_SIDED_95 = normalIsf(0.05);

/**
 * Judges one guardrail from counts of requests, each request for itself.
 *
 * I₀ of the error rate's bound is taken at p₀ = 0.5 rather than from history: most champions hardly ever fail, and an
 * I₀ tuned to that would need hundreds of requests to notice a challenger that fails every second time. The bound is
 * valid with any I₀ fixed beforehand.
 *
 * @param share of the smaller arm, for I₀
 * @param others the declared metrics and what was measured of them
 */
export function judgeGuardrail(
  guardrail: Guardrail,
  champion: GuardedArm,
  challenger: GuardedArm,
  share: number,
  others: GuardedMetrics = {},
): GuardrailResult {
  if ('maxRatio' in guardrail) return judgeSlowRate(champion, challenger);
  return guardrail.metric === 'error_rate'
    ? judgeErrorRate(guardrail.margin, champion, challenger, share)
    : judgeMetric(guardrail, others);
}

function judgeErrorRate(margin: number, champion: GuardedArm, challenger: GuardedArm, share: number): GuardrailResult {
  const c = { n: champion.requests, x: champion.errors };
  const t = { n: challenger.requests, x: challenger.errors };
  const bound = alwaysValidBound({ ...c, D: 1 }, { ...t, D: 1 }, initialInformation(null, share));
  const lower = bound !== null && t.n >= MIN_GUARDED_REQUESTS ? bound.lower : null;
  const { upper } = newcombeLimits(c, t, Z_ONE_SIDED_95);
  return {
    metric: 'error_rate',
    limit: margin,
    champion: { requests: c.n, failed: c.x },
    challenger: { requests: t.n, failed: t.x },
    delta: bound?.delta ?? null,
    lower,
    upper,
    tripped: lower !== null && lower > margin,
    shown: upper < margin,
  };
}

function judgeSlowRate(champion: GuardedArm, challenger: GuardedArm): GuardrailResult {
  const c = { requests: champion.requests, failed: champion.slow ?? null };
  const t = { requests: challenger.requests, failed: challenger.slow ?? null };
  // Without a count of slow requests nothing is known about the arm, which is not the same as none having been slow.
  const upper = t.failed === null ? 1 : wilsonLimits({ n: t.requests, x: t.failed }, Z_ONE_SIDED_95).upper;
  const [slowC, slowT] = [shareOf(c), shareOf(t)];
  const delta = slowC === null || slowT === null ? null : slowT - slowC;
  return {
    metric: 'slow_rate',
    limit: SLOW_LIMIT,
    champion: c,
    challenger: t,
    delta,
    lower: null,
    upper,
    tripped: false,
    shown: upper < SLOW_LIMIT,
  };
}

/** Measurements and their subjects in each arm from which a declared metric can stop an experiment. */
const METRIC_FLOOR = { n: 100, subjects: 20 } as const;

/**
 * A declared metric may be worse by the margin. I₀ is where half the margin is one standard error: about what it takes to see
 * that the margin is exceeded.
 */
function judgeMetric(
  { metric, margin }: { metric: string; margin: number },
  { rules = [], measured }: GuardedMetrics,
): GuardrailResult {
  const rule = rules.find(({ name }) => name === metric);
  const compared = rule && measured ? compareMetric(measured, rule) : null;
  const counted = (side: 'champion' | 'challenger') => ({ requests: compared?.counts[side].n ?? 0, failed: null });
  const arms = { champion: counted('champion'), challenger: counted('challenger') };
  const shown = { metric, limit: margin, ...arms };
  const { delta = null, seInterval = null, counts } = compared ?? {};
  // Nothing measured is not the same as nothing wrong.
  if (rule === undefined || delta === null || seInterval === null || counts === undefined)
    return { ...shown, delta: null, lower: null, upper: Number.POSITIVE_INFINITY, tripped: false, shown: false };
  const worse = 0 - improvement(rule, delta);
  const enough = Object.values(counts).every(
    ({ n, subjects }) => n >= METRIC_FLOOR.n && subjects >= METRIC_FLOOR.subjects,
  );
  const lower =
    enough && seInterval > 0 ? worse - alwaysValidHalfWidth(seInterval * seInterval, 4 / (margin * margin)) : null;
  const upper = enough ? worse + Z_ONE_SIDED_95 * seInterval : Number.POSITIVE_INFINITY;
  return { ...shown, delta: worse, lower, upper, tripped: lower !== null && lower > margin, shown: upper < margin };
}

function shareOf({ requests, failed }: GuardedRequests): number | null {
  return requests === 0 || failed === null ? null : failed / requests;
}
