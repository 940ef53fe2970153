import { bracketRoot, findRoot } from './find-root.js';
import {
  type GroupSequentialSettings,
  groupSequentialMaxInformation,
  groupSequentialPower,
} from './group-sequential-plan.js';
import { normalIsf, normalSf } from './normal.js';
import { type ArmSizes, fixedMaxInformation, outcomesForVariance } from './planning.js';

export interface PlanInput extends GroupSequentialSettings {
  readonly test: 'fixed' | 'group_sequential';
  /** `max_duration` in days */
  readonly maxDays: number;
  /** challenger's share of subjects, 0 < share < 1 */
  readonly share: number;
  readonly minSamplesPerArm: number;
  readonly minSubjectsPerArm: number;
  readonly traffic: Traffic;
}

/** What the model's recent days looked like, both arms together. */
export interface Traffic {
  /** interactions with an outcome, a day */
  readonly outcomesPerDay: number;
  /** positive share of those outcomes */
  readonly positive: number;
  /** design effect of the outcomes a subject gives within `max_duration` */
  readonly design: number;
  /** different subjects with an outcome within `max_duration` */
  readonly subjects: number;
  /**
   * of one outcome, with what those of one subject have in common, where outcomes are not 0 or 1; `positive` and `design` then
   * say nothing
   */
  readonly variance?: number;
}

export interface ExperimentPlan {
  readonly maxInformation: number;
  /** information there will be at `max_duration` */
  readonly informationAtEnd: number;
  /** informationAtEnd / maxInformation; below 1 the experiment ends with less power than asked for */
  readonly fraction: number;
  /** days until I_max at this share; may be far beyond `max_duration`. Infinity without variation in outcomes */
  readonly daysToMaxInformation: number;
  /** days until both arms have their outcomes and, at the even pace of `subjects`, their subjects */
  readonly daysToFloors: number;
  /** I_max is reached within `max_duration`, and so are the floors */
  readonly finishes: boolean;
  /** outcomes each arm needs for I_max */
  readonly outcomes: ArmSizes;
  /** chance of a promotion by `max_duration` if the challenger is better by `target_effect` */
  readonly power: number;
  /** least effect that is promoted with the power asked for; null when none below 1, or a thousand times the target, is */
  readonly detectable: number | null;
  /** average days to the end at `target_effect`, and when both are alike */
  readonly expectedDays: { readonly atTarget: number; readonly atNone: number };
  /** smallest share up to one half at which I_max is reached within `max_duration`; null where even one half is too few */
  readonly shareToFinish: number | null;
}

/**
 * What an experiment under these settings can be expected to do with this traffic: before it starts, and without it.
 * Information grows evenly with time, I(t) = t·n·s(1−s)/(p̄(1−p̄)·D), p̄ = p + s·target_effect kept off 0 and 1.
 *
 * @throws RangeError for settings that make no rule, or traffic that cannot be
 */
export function planExperiment(input: PlanInput): ExperimentPlan {
  const { test, maxDays, share, traffic, minSamplesPerArm, minSubjectsPerArm, power, targetEffect } = input;
  checkTraffic(input);
  const maxInformation = test === 'fixed' ? fixedMaxInformation(input) : groupSequentialMaxInformation(input);
  const pooled = (s: number) => Math.min(1 - 1e-9, Math.max(1e-9, traffic.positive + s * targetEffect));
  const variance = (s: number) => traffic.variance ?? pooled(s) * (1 - pooled(s)) * traffic.design;
  const perDay = (s: number) => (traffic.outcomesPerDay * s * (1 - s)) / variance(s);
  const informationAtEnd = perDay(share) * maxDays;
  const daysToMaxInformation = maxInformation / perDay(share);
  const smaller = Math.min(share, 1 - share);
  const daysToFloors = Math.max(
    minSamplesPerArm / (traffic.outcomesPerDay * smaller),
    (maxDays * minSubjectsPerArm) / (traffic.subjects * smaller),
  );
  const outcome = (effect: number) => outcomeAt(input, { maxInformation, informationAtEnd, daysToFloors }, effect);
  const atTarget = outcome(targetEffect);
  return {
    ...{ maxInformation, informationAtEnd, fraction: informationAtEnd / maxInformation },
    ...{ daysToMaxInformation, daysToFloors },
    finishes: daysToMaxInformation <= maxDays && daysToFloors <= maxDays,
    outcomes: outcomesForVariance(maxInformation, variance(share), share),
    power: atTarget.power,
    detectable: leastEffect((effect) => outcome(effect).power - power, input),
    expectedDays: { atTarget: atTarget.days, atNone: outcome(0).days },
    shareToFinish: leastShare((s) => perDay(s) * maxDays - maxInformation),
  };
}

function checkTraffic({ maxDays, share, traffic }: PlanInput): void {
  const { outcomesPerDay, positive, design, subjects, variance = 1 } = traffic;
  if (!(share > 0 && share < 1 && maxDays > 0)) throw new RangeError(`no experiment of ${maxDays} days at ${share}`);
  if (!(outcomesPerDay > 0 && subjects > 0 && variance > 0 && design >= 1 && positive >= 0 && positive <= 1))
    throw new RangeError('traffic has outcomes and subjects, a positive share and a design effect of at least 1');
}

/** The smallest share with no information missing; null where even one half has too little. */
function leastShare(excess: (share: number) => number): number | null {
  return excess(0.5) < 0 ? null : findRoot(excess, 0, 0.5, 1e-12);
}

interface Prospects {
  readonly maxInformation: number;
  readonly informationAtEnd: number;
  readonly daysToFloors: number;
}

/** Chance of a promotion and average days, with the looks before the floors left out. */
function outcomeAt(input: PlanInput, prospects: Prospects, effect: number): { power: number; days: number } {
  const { maxDays, fractions, alpha, minEffect, test } = input;
  const { maxInformation, informationAtEnd, daysToFloors } = prospects;
  const held = fractions.filter((t) => t * maxDays >= daysToFloors);
  if (held.length === 0) return { power: 0, days: maxDays };
  if (test === 'fixed') {
    // The first look with all floors is the only one.
    const at = held[0] as number;
    const root = Math.sqrt(at * informationAtEnd);
    const bound = Math.max(normalIsf(alpha / 2), minEffect * root);
    return { power: normalSf(bound - effect * root), days: at * maxDays };
  }
  const rule = groupSequentialPower({ ...input, fractions: held, maxInformation, informationAtEnd, effect });
  return { power: rule.everUpper, days: rule.expectedFraction * maxDays };
}

/** Shares differ by at most 1; of other metrics nobody looks for a thousand times what they hope for. */
function leastEffect(excess: (effect: number) => number, { traffic, targetEffect }: PlanInput): number | null {
  const share = traffic.variance === undefined;
  if (excess(share ? 1 : 1000 * targetEffect) < 0) return null;
  const [low, high] = bracketRoot(excess, 0, share ? 0.01 : targetEffect / 5);
  return findRoot(excess, low, high, share ? 1e-9 : targetEffect * 1e-8);
}
