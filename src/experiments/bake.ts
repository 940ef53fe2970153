import type { Prior } from '../stats/index.js';
import type { MeasuredArms } from './compare-metric.js';
import { type Guardrail, type GuardrailResult, judgeGuardrail, MIN_GUARDED_REQUESTS } from './guardrails.js';
import { boundOutcomes, explainTripped, type HarmArm, type HarmBound, reachesFloor } from './harm.js';
import { informationAtStart } from './initial-information.js';
import type { MetricRule } from './metric-rules.js';
import { effect } from './wording.js';

export interface BakeInput {
  /** the version that was promoted */
  readonly champion: HarmArm;
  /** the previous champion, on the traffic held back */
  readonly holdback: HarmArm;
  /** the holdback's share of traffic */
  readonly share: number;
  /** the previous champion's last 30 days as they were when the bake started; null when there were none */
  readonly prior: Prior | null;
  /** how much worse than the holdback the new champion may be, absolute, >= 0 */
  readonly maxDegradation: number;
  /** judged as in the experiment, the holdback taking the champion's place; none by default */
  readonly guardrails?: readonly Guardrail[];
  /** the metric that decides; positive feedback when left out */
  readonly primary?: MetricRule;
  readonly metrics?: readonly MetricRule[];
  /** as far as the primary metric and guardrails need them; the new champion is the challenger here */
  readonly measured?: MeasuredArms;
}

export interface BakeVerdict extends HarmBound {
  readonly rollBack: boolean;
  readonly reason: 'bake_harm' | null;
  readonly guardrails: readonly GuardrailResult[];
  /** at most 200 characters */
  readonly explanation: string;
}

/**
 * Should the promotion be undone? Δ_b = p(new champion) − p(holdback), bounded like harm; U < −maxDegradation undoes
 * it. Here the holdback is the small arm, so the floors are asked of both arms.
 */
export function judgeBake(input: BakeInput): BakeVerdict {
  const { champion, holdback, share, prior, maxDegradation, primary, metrics, measured } = input;
  const enough = reachesFloor(champion) && reachesFloor(holdback);
  const arms = { champion: holdback, challenger: champion, ...(primary && { primary }), ...(measured && { measured }) };
  const bound = boundOutcomes(arms, informationAtStart(primary, prior, share), enough);
  const others = { ...(metrics && { rules: metrics }), ...(measured && { measured }) };
  const guarded = holdback.requests >= MIN_GUARDED_REQUESTS ? (input.guardrails ?? []) : [];
  const guardrails = guarded.map((guardrail) => judgeGuardrail(guardrail, holdback, champion, share, others));
  const worse = bound.U !== null && bound.U < -maxDegradation;
  const tripped = guardrails.find((result) => result.tripped);
  const allowed = effect(0 - maxDegradation, primary);
  const counts =
    primary?.type === 'number'
      ? `${primary.name} of ${champion.n} new, ${holdback.n} held back`
      : `new ${champion.x} of ${champion.n}, held back ${holdback.x} of ${holdback.n}`;
  const explanation = worse
    ? `Worse than before: the difference ${effect(bound.delta, primary)} is at best ${effect(bound.U, primary)}, allowed ${allowed}; ${counts}`
    : tripped
      ? explainTripped(tripped, metrics)
      : enough
        ? `Holding: the difference ${effect(bound.delta, primary)} may be ${effect(bound.U, primary)}, allowed ${allowed}; ${counts}`
        : `Too early to judge outcomes; ${counts}`;
  const rollBack = worse || tripped !== undefined;
  return { ...bound, rollBack, reason: rollBack ? 'bake_harm' : null, guardrails, explanation };
}
