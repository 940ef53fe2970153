import { type ArmSums, alwaysValidBound, designEffect, initialInformation, type Prior } from '../stats/index.js';
import { type GuardedArm, type Guardrail, type GuardrailResult, judgeGuardrail } from './guardrails.js';
import { points } from './wording.js';

/** What the watch loop must know about an arm. */
export type HarmArm = Pick<ArmSums, 'N' | 'n' | 'x' | 'm2' | 'x2' | 'xm'> & GuardedArm;

export interface HarmInput {
  readonly champion: HarmArm;
  readonly challenger: HarmArm;
  /** challenger's share, constant within the experiment */
  readonly share: number;
  /** the champion's last 30 days as they were when the experiment started; null when there were none */
  readonly prior: Prior | null;
  readonly guardrails: readonly Guardrail[];
}

/** The always-valid bound and what it was made from, enough to recompute it. */
export interface HarmBound {
  /** false before the floors, or when an arm has fewer than two subjects with outcomes; U is then null */
  readonly tested: boolean;
  readonly delta: number | null;
  /** V = Σ D·p̃(1−p̃)/n */
  readonly V: number | null;
  readonly kappa: number | null;
  /** upper always-valid limit of `delta` */
  readonly U: number | null;
  /** I₀ */
  readonly initialInformation: number;
}

export interface HarmVerdict extends HarmBound {
  /** take the challenger off traffic now */
  readonly stop: boolean;
  readonly reason: 'harm' | 'guardrail' | null;
  readonly guardrails: readonly GuardrailResult[];
  /** at most 200 characters, no text of any conversation */
  readonly explanation: string;
}

/** Outcomes and subjects with outcomes in an arm from which its outcomes are judged. */
const HARM_FLOOR = { outcomes: 100, subjects: 20 } as const;

/**
 * Is the challenger certainly worse? Meant to be asked every ten seconds: however often, an identical challenger is
 * stopped at most about once in a hundred experiments. Outcomes are judged from `HARM_FLOOR` in the challenger arm on;
 * the error rate from 20 requests on, so before that it is the only thing that can stop it.
 */
export function judgeHarm({ champion, challenger, share, prior, guardrails }: HarmInput): HarmVerdict {
  const enough = reachesFloor(challenger);
  const bound = boundOutcomes(champion, challenger, initialInformation(prior, share), enough);
  const results = guardrails.map((guardrail) => judgeGuardrail(guardrail, champion, challenger, share));
  const harm = bound.U !== null && bound.U < 0;
  const tripped = results.find((result) => result.tripped);
  const reason = harm ? 'harm' : tripped ? 'guardrail' : null;
  const explanation = harm
    ? `Harm: the difference ${points(bound.delta)} is at best ${points(bound.U)}, below 0; ${counts(champion, challenger)}`
    : tripped
      ? explainTripped(tripped)
      : enough
        ? `No harm shown: the difference ${points(bound.delta)} may be ${points(bound.U)}; ${counts(champion, challenger)}`
        : `Too early to judge outcomes; ${counts(champion, challenger)}`;
  return { ...bound, stop: reason !== null, reason, guardrails: results, explanation };
}

export function reachesFloor(arm: HarmArm): boolean {
  return arm.n >= HARM_FLOOR.outcomes && arm.N >= HARM_FLOOR.subjects;
}

/** The always-valid bound of Δ = p(challenger) − p(champion); not tested unless `enough`. */
export function boundOutcomes(
  champion: HarmArm,
  challenger: HarmArm,
  information0: number,
  enough: boolean,
): HarmBound {
  const dChampion = designEffect(champion);
  const dChallenger = designEffect(challenger);
  const bound =
    enough && dChampion !== null && dChallenger !== null
      ? alwaysValidBound({ ...champion, D: dChampion }, { ...challenger, D: dChallenger }, information0)
      : null;
  return {
    tested: bound !== null,
    delta: bound?.delta ?? null,
    V: bound?.V ?? null,
    kappa: bound?.kappa ?? null,
    U: bound?.upper ?? null,
    initialInformation: information0,
  };
}

/** One sentence on a tripped guardrail. */
export function explainTripped({ metric, limit, lower, champion, challenger }: GuardrailResult): string {
  const failed = `${challenger.failed} of ${challenger.requests} failed, champion ${champion.failed} of ${champion.requests}`;
  return `Guardrail ${metric}: worse by at least ${points(lower)}, allowed ${points(limit)}; ${failed}`;
}

function counts(champion: HarmArm, challenger: HarmArm): string {
  return `challenger ${challenger.x} of ${challenger.n}, champion ${champion.x} of ${champion.n}`;
}
