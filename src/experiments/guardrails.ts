import {
  type ArmSums,
  alwaysValidBound,
  initialInformation,
  newcombeLimits,
  normalIsf,
  wilsonLimits,
} from '../stats/index.js';

/** A promise about requests that a better answer does not buy off. Margins are absolute, in shares of requests. */
export type Guardrail =
  | { readonly metric: 'error_rate'; readonly margin: number }
  | { readonly metric: 'slow_rate'; readonly maxRatio: number };

/** Requests by assigned arm. */
export type GuardedArm = Pick<ArmSums, 'requests' | 'errors' | 'slow'>;

export interface GuardrailResult {
  readonly metric: Guardrail['metric'];
  /** error_rate: the margin; slow_rate: the share of slow requests allowed */
  readonly limit: number;
  readonly champion: { readonly requests: number; readonly failed: number };
  readonly challenger: { readonly requests: number; readonly failed: number };
  /** challenger minus champion; null without requests in an arm */
  readonly delta: number | null;
  /** always-valid lower limit of `delta`; null before MIN_GUARDED_REQUESTS, and for slow_rate */
  readonly lower: number | null;
  /** one-sided 95 % upper limit: Newcombe's of `delta` (error_rate), Wilson's of the challenger's share (slow_rate) */
  readonly upper: number;
  /** the arm is certainly worse than allowed: stop, at any time */
  readonly tripped: boolean;
  /** the arm is certainly within what is allowed: needed for a promotion */
  readonly shown: boolean;
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
 */
export function judgeGuardrail(
  guardrail: Guardrail,
  champion: GuardedArm,
  challenger: GuardedArm,
  share: number,
): GuardrailResult {
  return guardrail.metric === 'error_rate'
    ? judgeErrorRate(guardrail.margin, champion, challenger, share)
    : judgeSlowRate(champion, challenger);
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
  const c = { requests: champion.requests, failed: champion.slow ?? 0 };
  const t = { requests: challenger.requests, failed: challenger.slow ?? 0 };
  // Without a count of slow requests nothing is known about the arm, which is not the same as none having been slow.
  const counted = challenger.slow !== undefined;
  const upper = counted ? wilsonLimits({ n: t.requests, x: t.failed }, Z_ONE_SIDED_95).upper : 1;
  const delta = c.requests > 0 && t.requests > 0 ? t.failed / t.requests - c.failed / c.requests : null;
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
