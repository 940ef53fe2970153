import {
  alphaSpentAt,
  fixedMaxInformation,
  groupSequentialBoundaries,
  groupSequentialMaxInformation,
  nextBoundary,
  normalIsf,
  plannedFractions,
} from '../stats/index.js';
import type { ExperimentSettings, LookInput, PastLook } from './look.js';

/** A look with less than 1 % more information than the last tested one says nothing new. */
const LEAST_GAIN = 1.01;

/** What z is held against at one look, and what that costs. */
export interface LookBoundary {
  /** null where no z can stop */
  readonly c: number | null;
  /** I_max */
  readonly maxInformation: number;
  /** min(1, I/I_max), 1 at max_duration; null without information */
  readonly tau: number | null;
  /** enough has come in since the last tested look */
  readonly newInformation: boolean;
  /** a test at this look is the last one */
  readonly final: boolean;
  /** one-sided alpha spent by the looks before */
  readonly alphaBefore: number;
  /** the same with this look, if it is tested */
  readonly alphaIfTested: number;
}

/**
 * The boundary of a look at which the information is `information` (null: none), by the rule of its experiment.
 *
 * `group_sequential`: f(τ_k) − f(τ_{k−1}) of alpha is spent, over the looks tested before with the boundaries they used. All
 * that is left is spent where τ is 1: at max_duration with too little information (under-run), before it with too much
 * (over-run). A look without new information has the boundary of the last tested one.
 */
export function boundaryOf(
  { settings, past = [], last }: Pick<LookInput, 'settings' | 'past' | 'last'>,
  information: number | null,
): LookBoundary {
  const alpha1 = settings.alpha / 2;
  const maxInformation = maxInformationOf(settings);
  const fraction = information === null ? null : Math.min(1, information / maxInformation);
  const tau = last ? 1 : fraction;
  const shown = { maxInformation, tau };
  if (settings.test === 'fixed') {
    const all = { alphaBefore: 0, alphaIfTested: alpha1 };
    return { ...shown, ...all, c: normalIsf(alpha1), newInformation: true, final: true };
  }
  const latest = past.at(-1);
  const alphaBefore = latest?.alphaSpent ?? 0;
  const newInformation = bringsNews(past, information);
  if (tau === null || information === null || !newInformation) {
    // Without any test before, the one look there could be has all of alpha.
    const c = latest === undefined ? (last ? normalIsf(alpha1) : null) : latest.c;
    return { ...shown, c, newInformation, final: last, alphaBefore, alphaIfTested: alphaBefore };
  }
  const alphaIfTested = alphaSpentAt(tau, alpha1);
  const c = nextBoundary({
    past: past.map((look) => ({ information: look.information, c: look.c ?? Number.POSITIVE_INFINITY })),
    information,
    alpha: alphaIfTested - alphaBefore,
  });
  const final = last || tau === 1;
  return { ...shown, c: Number.isFinite(c) ? c : null, newInformation, final, alphaBefore, alphaIfTested };
}

/** Has enough come in since the last tested look to test again? */
export function bringsNews(past: readonly PastLook[], information: number | null): information is number {
  return information !== null && information >= LEAST_GAIN * (past.at(-1)?.information ?? 0);
}

/** The boundary of each planned look if information grows evenly, null where it could not stop; the `fixed` rule has one. */
export function plannedBoundaries(settings: ExperimentSettings): (number | null)[] {
  const alpha1 = settings.alpha / 2;
  if (settings.test === 'fixed') return [normalIsf(alpha1)];
  const { c } = groupSequentialBoundaries({ information: fractionsOf(settings), alpha1 });
  return c.map((boundary) => (Number.isFinite(boundary) ? boundary : null));
}

/** The planned looks in shares of max_duration. */
export function fractionsOf({ minDurationMs, lookEveryMs, maxDurationMs }: ExperimentSettings): number[] {
  return plannedFractions({ minDuration: minDurationMs, lookEvery: lookEveryMs, maxDuration: maxDurationMs });
}

const planned = new Map<string, number>();

/** I_max of an experiment's rule. The group-sequential one takes milliseconds to find, and is asked for at every look. */
export function maxInformationOf(settings: ExperimentSettings): number {
  if (settings.test === 'fixed') return fixedMaxInformation(settings);
  const { alpha, power, minEffect, targetEffect } = settings;
  const fractions = fractionsOf(settings);
  const key = JSON.stringify([alpha, power, minEffect, targetEffect, fractions]);
  const known = planned.get(key);
  if (known !== undefined) return known;
  const found = groupSequentialMaxInformation({ alpha, power, minEffect, targetEffect, fractions });
  // As many policies as a service may have; beyond that it is found again.
  if (planned.size >= 1_000) planned.clear();
  planned.set(key, found);
  return found;
}
