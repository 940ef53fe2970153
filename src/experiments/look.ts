import type {
  ArmSums,
  ClusteredTest,
  Limits,
  MissingRatings,
  Prior,
  RuleSettings,
  SampleRatio,
} from '../stats/index.js';
import type { MeasuredArms } from './compare-metric.js';
import type { Guardrail } from './guardrails.js';
import type { HarmVerdict } from './harm.js';
import type { LookSchedule } from './look-times.js';
import type { MetricFigure } from './metric-figures.js';
import type { MetricRule } from './metric-rules.js';

/** The parts of a policy that decide an experiment; they are frozen when it starts. */
export interface ExperimentSettings extends RuleSettings, LookSchedule {
  /**
   * `fixed`: one look with the whole of alpha, at the first planned time at which all floors hold; `group_sequential`:
   * every planned look with its part of alpha
   */
  readonly test: 'fixed' | 'group_sequential';
  /** challenger's share of subjects, constant within the experiment */
  readonly share: number;
  /** interactions with an outcome */
  readonly minSamplesPerArm: number;
  /** subjects with an outcome; below 2 nothing can be tested, so 2 is the least that counts */
  readonly minSubjectsPerArm: number;
  readonly guardrails: readonly Guardrail[];
  /** the metric that decides; left out for positive feedback */
  readonly primary?: MetricRule;
  /** the declared metrics; left out where there are none */
  readonly metrics?: readonly MetricRule[];
}

/** A look at which z was held against its boundary, as later looks of the same experiment need it. */
export interface PastLook {
  readonly k: number;
  /** I_j */
  readonly information: number;
  /** τ_j */
  readonly tau: number;
  readonly z: number;
  /** c_j; null where the look could not stop (c_j above 8), because JSON has no infinity */
  readonly c: number | null;
  /** one-sided alpha spent up to and with look j, f(τ_j) */
  readonly alphaSpent: number;
}

/** Everything a look is made from. Plain data: stored as it is, the same input gives the same decision for ever. */
export interface LookInput {
  readonly settings: ExperimentSettings;
  /** epoch milliseconds */
  readonly startedAt: number;
  /** the workflow's clock at the look, T; epoch milliseconds */
  readonly asOf: number;
  /** no look comes after this one (see `isLastLook`) */
  readonly last: boolean;
  /** how much later than planned the last look comes; it moves nothing else, I_max least of all */
  readonly extendedMs?: number;
  readonly champion: ArmSums;
  readonly challenger: ArmSums;
  /** subjects seen in both arms; they are in `O` only */
  readonly crossed: number;
  /** the champion's last 30 days when the experiment started */
  readonly prior: Prior | null;
  /** the declared metrics as they were measured; left out where there are none */
  readonly measured?: MeasuredArms;
  /** Q: slower requests were counted as slow, in milliseconds; null when nothing was there to take it from */
  readonly slowLimitMs?: number | null;
  /** the looks tested before, in order; of the `group_sequential` rule only */
  readonly past?: readonly PastLook[];
}

/** Effect and interval by the stage-wise order: right on average whatever look the experiment stopped at. */
export interface LookEstimate {
  /** median-unbiased effect */
  readonly median: number;
  /** two-sided, 1 − alpha */
  readonly interval: Limits;
  /** one-sided p-value of "not better" */
  readonly p: number;
}

type Decision = 'wait' | 'promote' | 'reject' | 'inconclusive';
type DecisionReason =
  | 'significant'
  | 'harm'
  | 'guardrail'
  | 'no_improvement'
  | 'max_duration'
  | 'not_enough_data'
  | 'blocked';
/**
 * What keeps an experiment going: time, floors, a split that is not the ordered one, outcomes that are all alike, less
 * than 1 % more information than at the last tested look, or evidence: it was tested, and a later look may decide.
 */
export type WaitingFor = 'min_duration' | 'floors' | 'blocked' | 'variation' | 'information' | 'evidence';

export interface LookFigures extends Omit<ClusteredTest, 'tested'> {
  /**
   * the boundary for z: z_{1−alpha/2} under `fixed`; under `group_sequential` that of this look, or of the last tested one
   * when this one brings no new information; null where no z can stop (c above 8)
   */
  readonly c: number | null;
  /** Δ ± c·se, the repeated interval; null when an arm has fewer than two subjects with outcomes, or c is null */
  readonly interval: Limits | null;
  /** I_max of the rule */
  readonly maxInformation: number;
  /** τ = I/I_max, at most 1, and 1 at max_duration; shown, not used by the `fixed` rule; null without information */
  readonly tau: number | null;
  /** subjects of the cut against the ordered share, before those in both arms were left out */
  readonly sampleRatio: SampleRatio;
  /** crossed over all subjects of the cut */
  readonly crossedShare: number;
  readonly ratings: MissingRatings;
  /** harm and guardrails on the sums of this look; holds I₀ */
  readonly harm: HarmVerdict;
  /** the declared metrics; left out where there are none */
  readonly metrics?: readonly MetricFigure[];
}

export interface LookDecision extends LookFigures {
  readonly decision: Decision;
  /** null while waiting */
  readonly reason: DecisionReason | null;
  /** null unless waiting */
  readonly waitingFor: WaitingFor | null;
  /** z was held against c: the look spent alpha and is in the boundaries of all later ones */
  readonly tested: boolean;
  /** one-sided alpha spent up to and with this look; alpha/2 when it was the last */
  readonly alphaSpent: number;
  /** what the experiment found, corrected for having looked before; when it ended here, under `group_sequential` */
  readonly estimate?: LookEstimate;
  /** at most 200 characters */
  readonly explanation: string;
}
