import type {
  ArmSums,
  ClusteredTest,
  Limits,
  MissingRatings,
  Prior,
  RuleSettings,
  SampleRatio,
} from '../stats/index.js';
import type { Guardrail } from './guardrails.js';
import type { HarmVerdict } from './harm.js';
import type { LookSchedule } from './look-times.js';

/** The parts of a policy that decide an experiment; they are frozen when it starts. */
export interface ExperimentSettings extends RuleSettings, LookSchedule {
  /** one look with the whole of alpha, at the first planned time at which all floors hold */
  readonly test: 'fixed';
  /** challenger's share of subjects, constant within the experiment */
  readonly share: number;
  /** interactions with an outcome */
  readonly minSamplesPerArm: number;
  /** subjects with an outcome; below 2 nothing can be tested, so 2 is the least that counts */
  readonly minSubjectsPerArm: number;
  readonly guardrails: readonly Guardrail[];
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
  readonly champion: ArmSums;
  readonly challenger: ArmSums;
  /** subjects seen in both arms; they are in `O` only */
  readonly crossed: number;
  /** the champion's last 30 days when the experiment started */
  readonly prior: Prior | null;
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
/** What keeps an experiment going: time, floors, a split that is not the ordered one, outcomes that are all alike. */
export type WaitingFor = 'min_duration' | 'floors' | 'blocked' | 'variation';

export interface LookFigures extends Omit<ClusteredTest, 'tested'> {
  /** the boundary for z, z_{1−alpha/2} */
  readonly c: number;
  /** Δ ± c·se; null when an arm has fewer than two subjects with outcomes */
  readonly interval: Limits | null;
  /** I_max of the rule */
  readonly maxInformation: number;
  /** I/I_max, at most 1, and 1 at the last look; shown, not used by the `fixed` rule; null without information */
  readonly tau: number | null;
  /** subjects of the cut against the ordered share, before those in both arms were left out */
  readonly sampleRatio: SampleRatio;
  /** crossed over all subjects of the cut */
  readonly crossedShare: number;
  readonly ratings: MissingRatings;
  /** harm and guardrails on the sums of this look; holds I₀ */
  readonly harm: HarmVerdict;
}

export interface LookDecision extends LookFigures {
  readonly decision: Decision;
  /** null while waiting */
  readonly reason: DecisionReason | null;
  /** null unless waiting */
  readonly waitingFor: WaitingFor | null;
  /** z was held against c: this was the one look of the `fixed` rule */
  readonly tested: boolean;
  /** one-sided alpha spent up to and with this look: alpha/2 when tested, else 0 */
  readonly alphaSpent: number;
  /** at most 200 characters */
  readonly explanation: string;
}
