import { type ArmSums, bestArmProbabilities, checkArmSums, designEffect, posteriorOf } from '../stats/index.js';
import { type Guardrail, type GuardrailResult, judgeGuardrail } from './guardrails.js';
import { MAX_EXPLANATION, percent, points } from './wording.js';

/** The parts of a policy that a bandit goes by; they are frozen when it starts. */
export interface BanditSettings {
  /** adopt the challenger from this probability on that it is the better one */
  readonly adoptAt: number;
  /** drop it from this probability down */
  readonly dropAt: number;
  /** epoch milliseconds: nothing is adopted or dropped before */
  readonly floorAt: number;
  /** interactions with an outcome */
  readonly minSamplesPerArm: number;
  /** subjects with an outcome */
  readonly minSubjectsPerArm: number;
  readonly guardrails: readonly Guardrail[];
}

/** Everything a look of a bandit is made from: plain data, the same input gives the same decision for ever. */
export interface BanditInput {
  readonly settings: BanditSettings;
  /** the workflow's clock at the look, T; epoch milliseconds */
  readonly asOf: number;
  /** no look comes after this one */
  readonly last: boolean;
  /** the challenger's share of subjects until now */
  readonly share: number;
  readonly champion: ArmSums;
  readonly challenger: ArmSums;
}

export interface BanditDecision {
  readonly decision: 'wait' | 'promote' | 'reject' | 'inconclusive';
  readonly reason: 'bandit' | 'not_enough_data' | 'max_duration' | null;
  /** P(the challenger's positive share is the larger one), given the outcomes so far; no test */
  readonly better: number;
  /** difference of the positive shares; null without outcomes in an arm */
  readonly delta: number | null;
  /** the challenger's share of subjects from now on */
  readonly share: number;
  readonly guardrails: readonly GuardrailResult[];
  /** at most 200 characters */
  readonly explanation: string;
}

/** Neither arm is starved, or one would never learn that it was wrong about it; a second arm never has more than half. */
const LEAST_SHARE = 0.05;
const LARGEST_SHARE = 0.5;

/**
 * Thompson's rule in batches: until the next look, the challenger gets the share of subjects that is the probability that it
 * is the better one (Thompson 1933). It loses fewer good answers than a fixed split while it learns, and proves nothing:
 * there is no z, no boundary and no promise about false promotions.
 *
 * Several ratings of one person say less than as many of many people: counts are divided by the design effect.
 */
export function decideBandit(input: BanditInput): BanditDecision {
  const { settings, share, last } = input;
  const champion = checkArmSums(input.champion);
  const challenger = checkArmSums(input.challenger);
  const [, better = 0.5] = bestArmProbabilities([posteriorOf(effective(champion)), posteriorOf(effective(challenger))]);
  const guardrails = settings.guardrails.map((guardrail) => judgeGuardrail(guardrail, champion, challenger, share));
  const delta = champion.n > 0 && challenger.n > 0 ? challenger.x / challenger.n - champion.x / champion.n : null;
  const figures = { better, delta, share: nextShare(better), guardrails };
  const floors =
    input.asOf >= settings.floorAt &&
    [champion, challenger].every((arm) => arm.n >= settings.minSamplesPerArm && arm.N >= settings.minSubjectsPerArm);
  const verdict = judge(figures, settings, floors, last);
  return { ...verdict, ...figures, explanation: explain(input, figures, verdict) };
}

type Figures = Pick<BanditDecision, 'better' | 'delta' | 'share' | 'guardrails'>;
type Verdict = Pick<BanditDecision, 'decision' | 'reason'>;

function judge({ better, guardrails }: Figures, settings: BanditSettings, floors: boolean, last: boolean): Verdict {
  if (!floors) return last ? { decision: 'inconclusive', reason: 'not_enough_data' } : WAIT;
  if (better <= settings.dropAt) return { decision: 'reject', reason: 'bandit' };
  if (better >= settings.adoptAt && guardrails.every(({ shown }) => shown))
    return { decision: 'promote', reason: 'bandit' };
  return last ? { decision: 'inconclusive', reason: 'max_duration' } : WAIT;
}

const WAIT: Verdict = { decision: 'wait', reason: null };

function effective(arm: ArmSums): { n: number; x: number } {
  const D = designEffect(arm) ?? 1;
  return { n: arm.n / D, x: arm.x / D };
}

/** In whole percents, so that the route does not move for nothing. */
function nextShare(better: number): number {
  return Math.min(LARGEST_SHARE, Math.max(LEAST_SHARE, Math.round(better * 100) / 100));
}

function explain(
  { champion, challenger, share }: BanditInput,
  figures: Figures,
  { decision, reason }: Verdict,
): string {
  const rate = ({ n, x }: ArmSums) => `${percent(n > 0 ? x / n : null)} of ${n}`;
  const open = figures.guardrails.find(({ shown }) => !shown);
  const headline =
    decision === 'promote'
      ? 'Adopted.'
      : decision === 'reject'
        ? 'Dropped.'
        : reason === 'not_enough_data'
          ? 'Too little.'
          : reason === 'max_duration'
            ? 'Undecided.'
            : `Share ${percent(share)} to ${percent(figures.share)}.`;
  const guarded = open === undefined ? '' : `; guardrail ${open.metric} not shown`;
  return `Bandit, no test: ${headline} Better with probability ${figures.better.toFixed(3)}: challenger ${rate(challenger)}, champion ${rate(champion)}: ${points(figures.delta)}${guarded}`.slice(
    0,
    MAX_EXPLANATION,
  );
}
