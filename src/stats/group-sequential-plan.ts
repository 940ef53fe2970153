import { groupSequentialBoundaries } from './boundaries.js';
import { type Crossing, crossingProbabilities } from './crossing.js';
import { bracketRoot, findRoot } from './find-root.js';
import { fixedMaxInformation, type RuleSettings } from './planning.js';
import type { SpendingType } from './spending.js';

/** When an experiment is looked at; three durations in one unit. */
export interface LookPlan {
  readonly minDuration: number;
  readonly lookEvery: number;
  readonly maxDuration: number;
}

/**
 * Planned looks as fractions of `maxDuration`: t_k = (min + (k−1)·every)/max as long as that is below 1, then 1. The
 * default policy: 0.4, 0.6, 0.8, 1.
 *
 * @throws RangeError unless 0 < minDuration <= maxDuration and lookEvery > 0
 */
export function plannedFractions({ minDuration, lookEvery, maxDuration }: LookPlan): number[] {
  if (!(minDuration > 0 && maxDuration >= minDuration && maxDuration < Infinity && lookEvery > 0))
    throw new RangeError(`no looks from ${minDuration} to ${maxDuration} every ${lookEvery}`);
  const fractions: number[] = [];
  for (let k = 0; minDuration + k * lookEvery < maxDuration; k++)
    fractions.push((minDuration + k * lookEvery) / maxDuration);
  return [...fractions, 1];
}

export interface GroupSequentialSettings extends RuleSettings {
  /** t_k, rising to 1 */
  readonly fractions: readonly number[];
  readonly spending?: SpendingType;
}

/**
 * I_max of the group-sequential rule: the least I with P(∃k: Z_k >= b_k) >= power, where b_k = max(c_k, min_effect·√(I t_k))
 * and E Z_k = target_effect·√(I t_k). 3217.16 for the default policy, 2.5 % above that of the `fixed` rule.
 *
 * More information never lowers that probability: on the scale of the effect both bounds come down and the estimate
 * varies less around a target above them.
 *
 * @throws RangeError for settings that make no rule, or fractions that do not rise to 1
 */
export function groupSequentialMaxInformation(settings: GroupSequentialSettings): number {
  const { fractions, alpha, power, minEffect, targetEffect, spending } = settings;
  const fixed = fixedMaxInformation(settings);
  if (fractions[fractions.length - 1] !== 1) throw new RangeError('planned fractions end at 1');
  const { c } = groupSequentialBoundaries({ information: fractions, alpha1: alpha / 2, ...(spending && { spending }) });
  const short = (logInformation: number) => {
    const information = Math.exp(logInformation);
    const bounds = fractions.map((t, k) => ({
      information: t,
      upper: Math.max(c[k] as number, minEffect * Math.sqrt(information * t)),
    }));
    return crossingProbabilities(bounds, targetEffect * Math.sqrt(information)).everUpper - power;
  };
  // Pocock-type plans need up to a third more than the fixed rule, plans with a least effect at times a little less.
  const start = Math.log(fixed);
  const [low, high] = bracketRoot(short, start, short(start) <= 0 ? 0.05 : -0.05);
  return Math.exp(findRoot(short, low, high, 1e-11));
}

export interface PowerInput extends GroupSequentialSettings {
  /** I_max of the rule, by which τ is measured */
  readonly maxInformation: number;
  /** information there will be at the last planned look; may be below or above I_max */
  readonly informationAtEnd: number;
  /** the true difference, absolute */
  readonly effect: number;
}

export interface RulePower extends Crossing {
  /** t_k of the looks that take place: the one with τ = 1 is the last */
  readonly fractions: readonly number[];
  /** c_k of those looks */
  readonly c: readonly number[];
  /** E of t at the end, in shares of `max_duration`: how long the experiment takes on average */
  readonly expectedFraction: number;
}

/**
 * The chance of a promotion when the truth is `effect`, with information that grows evenly to `informationAtEnd`. Too
 * little traffic is under-run (the last look spends all), too much is over-run (the first look with τ = 1 is the last).
 */
export function groupSequentialPower(input: PowerInput): RulePower {
  const { fractions, alpha, minEffect, maxInformation, informationAtEnd, effect, spending } = input;
  if (!(informationAtEnd > 0 && maxInformation > 0)) throw new RangeError('information is above 0');
  const full = fractions.findIndex((t) => t * informationAtEnd >= maxInformation);
  const held = full === -1 ? fractions : fractions.slice(0, full + 1);
  const information = held.map((t) => t * informationAtEnd);
  const tau = information.map((I) => I / maxInformation);
  const { c } = groupSequentialBoundaries({ information, tau, alpha1: alpha / 2, ...(spending && { spending }) });
  const looks = information.map((I, k) => ({
    information: I,
    upper: Math.max(c[k] as number, minEffect * Math.sqrt(I)),
  }));
  const crossing = crossingProbabilities(looks, effect);
  return { ...crossing, fractions: held, c, expectedFraction: crossing.expectedInformation / informationAtEnd };
}
