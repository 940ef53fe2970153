import {
  type AlwaysValidBound,
  type ArmSums,
  alwaysValidBound,
  alwaysValidHalfWidth,
  designEffect,
  type Prior,
} from '../stats/index.js';
import { compareMetric, improvement, type MeasuredArms } from './compare-metric.js';
import { type GuardedArm, type Guardrail, type GuardrailResult, judgeGuardrail } from './guardrails.js';
import { informationAtStart } from './initial-information.js';
import type { MetricRule } from './metric-rules.js';
import { effect, plain, points } from './wording.js';

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
  /** the metric that decides; positive feedback when left out */
  readonly primary?: MetricRule;
  /** the declared metrics, as far as the primary one and guardrails need them */
  readonly metrics?: readonly MetricRule[];
  readonly measured?: MeasuredArms;
}

/** The always-valid bound and what it was made from, enough to recompute it. */
export interface HarmBound {
  /** false before the floors, or when an arm has fewer than two subjects with outcomes; U is then null */
  readonly tested: boolean;
  readonly delta: number | null;
  /** V = Σ D·p̃(1−p̃)/n; of a primary metric that is no share V_c + V_t */
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
export function judgeHarm(input: HarmInput): HarmVerdict {
  const { champion, challenger, share, prior, guardrails, primary, metrics, measured } = input;
  const enough = reachesFloor(challenger);
  const bound = boundOutcomes(input, informationAtStart(primary, prior, share), enough);
  const others = { ...(metrics && { rules: metrics }), ...(measured && { measured }) };
  const results = guardrails.map((guardrail) => judgeGuardrail(guardrail, champion, challenger, share, others));
  const harm = bound.U !== null && bound.U < 0;
  const tripped = results.find((result) => result.tripped);
  const reason = harm ? 'harm' : tripped ? 'guardrail' : null;
  const explanation = harm
    ? `Harm: the difference ${effect(bound.delta, primary)} is at best ${effect(bound.U, primary)}, ${primary?.better === 'lower' ? 'above' : 'below'} 0; ${counts(champion, challenger, primary)}`
    : tripped
      ? explainTripped(tripped, metrics)
      : enough
        ? `No harm shown: the difference ${effect(bound.delta, primary)} may be ${effect(bound.U, primary)}; ${counts(champion, challenger, primary)}`
        : `Too early to judge outcomes; ${counts(champion, challenger, primary)}`;
  return { ...bound, stop: reason !== null, reason, guardrails: results, explanation };
}

export function reachesFloor(arm: HarmArm): boolean {
  return arm.n >= HARM_FLOOR.outcomes && arm.N >= HARM_FLOOR.subjects;
}

/** The always-valid bound of the improvement from champion to challenger; not tested unless `enough`. */
export function boundOutcomes(
  arms: Pick<HarmInput, 'champion' | 'challenger' | 'primary' | 'measured'>,
  information0: number,
  enough: boolean,
): HarmBound {
  const bound = arms.primary?.type === 'number' ? boundMeasured : boundShares;
  const found = enough ? bound(arms, information0) : null;
  return {
    tested: found !== null,
    delta: found?.delta ?? null,
    V: found?.V ?? null,
    kappa: found?.kappa ?? null,
    U: found?.upper ?? null,
    initialInformation: information0,
  };
}

type Bound = Pick<AlwaysValidBound, 'delta' | 'V' | 'kappa' | 'upper'>;

function boundShares({ champion, challenger }: Pick<HarmInput, 'champion' | 'challenger'>, I0: number): Bound | null {
  const dChampion = designEffect(champion);
  const dChallenger = designEffect(challenger);
  if (dChampion === null || dChallenger === null) return null;
  return alwaysValidBound({ ...champion, D: dChampion }, { ...challenger, D: dChallenger }, I0);
}

function boundMeasured({ primary, measured }: Pick<HarmInput, 'primary' | 'measured'>, I0: number): Bound | null {
  const compared = primary && measured ? compareMetric(measured, primary) : null;
  if (!primary || !compared || compared.delta === null || !compared.seInterval) return null;
  const V = compared.seInterval * compared.seInterval;
  const delta = improvement(primary, compared.delta);
  return { delta, V, kappa: 1 / V / I0, upper: delta + alwaysValidHalfWidth(V, I0) };
}

/** One sentence on a tripped guardrail. */
export function explainTripped(result: GuardrailResult, metrics: readonly MetricRule[] = []): string {
  const { metric, limit, lower, champion, challenger } = result;
  const rule = metrics.find(({ name }) => name === metric);
  const inUnit = (worse: number | null) =>
    rule?.type === 'number' && worse !== null && metric !== 'error_rate' ? plain(worse) : points(worse);
  const failed =
    challenger.failed === null
      ? `measured on ${challenger.requests}, champion on ${champion.requests}`
      : `${challenger.failed} of ${challenger.requests} failed, champion ${champion.failed} of ${champion.requests}`;
  return `Guardrail ${metric}: worse by at least ${inUnit(lower)}, allowed ${inUnit(limit)}; ${failed}`;
}

function counts(champion: HarmArm, challenger: HarmArm, primary: MetricRule | undefined): string {
  if (primary?.type === 'number') return `${primary.name} of ${challenger.n} against ${champion.n}`;
  return `challenger ${challenger.x} of ${challenger.n}, champion ${champion.x} of ${champion.n}`;
}
