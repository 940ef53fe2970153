import { initialInformation, type Prior } from '../stats/index.js';
import { type Guardrail, type GuardrailResult, judgeGuardrail, MIN_GUARDED_REQUESTS } from './guardrails.js';
import { boundOutcomes, explainTripped, type HarmArm, type HarmBound, reachesFloor } from './harm.js';
import { points } from './wording.js';

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
  const { champion, holdback, share, prior, maxDegradation } = input;
  const enough = reachesFloor(champion) && reachesFloor(holdback);
  const bound = boundOutcomes(holdback, champion, initialInformation(prior, share), enough);
  const guarded = holdback.requests >= MIN_GUARDED_REQUESTS ? (input.guardrails ?? []) : [];
  const guardrails = guarded.map((guardrail) => judgeGuardrail(guardrail, holdback, champion, share));
  const worse = bound.U !== null && bound.U < -maxDegradation;
  const tripped = guardrails.find((result) => result.tripped);
  const allowed = points(maxDegradation === 0 ? 0 : -maxDegradation);
  const counts = `new ${champion.x} of ${champion.n}, held back ${holdback.x} of ${holdback.n}`;
  const explanation = worse
    ? `Worse than before: the difference ${points(bound.delta)} is at best ${points(bound.U)}, allowed ${allowed}; ${counts}`
    : tripped
      ? explainTripped(tripped)
      : enough
        ? `Holding: the difference ${points(bound.delta)} may be ${points(bound.U)}, allowed ${allowed}; ${counts}`
        : `Too early to judge outcomes; ${counts}`;
  const rollBack = worse || tripped !== undefined;
  return { ...bound, rollBack, reason: rollBack ? 'bake_harm' : null, guardrails, explanation };
}
