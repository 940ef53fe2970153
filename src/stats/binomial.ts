import { betaCdf, betaQuantile, betaSf } from './beta.js';
import type { Limits } from './score-limits.js';
import { checkProportion, type Proportion } from './two-proportions.js';

/** P(X <= x) of `n` trials with success probability p, exact at any size: the tail of a beta distribution. */
export function binomialCdf({ n, x }: Proportion, p: number): number {
  check({ n, x }, p);
  return x === n ? 1 : betaSf(p, x + 1, n - x);
}

/** P(X >= x). */
export function binomialUpper({ n, x }: Proportion, p: number): number {
  check({ n, x }, p);
  return x === 0 ? 1 : betaCdf(p, x, n - x + 1);
}

/**
 * The exact interval for one proportion (Clopper and Pearson 1934): never covers less than asked, often more. No trials:
 * [0, 1].
 *
 * @param tail error rate per side: 0.025 for a two-sided 95 % interval
 */
export function clopperPearson({ n, x }: Proportion, tail: number): Limits {
  checkProportion({ n, x });
  if (!(tail > 0 && tail < 0.5)) throw new RangeError(`an error rate per side is between 0 and 0.5, not ${tail}`);
  return {
    lower: x === 0 ? 0 : betaQuantile(tail, x, n - x + 1),
    // Seen from the failures, so that the tail is a lower one again and keeps its digits.
    upper: x === n ? 1 : 1 - betaQuantile(tail, n - x, x + 1),
  };
}

function check(counts: Proportion, p: number): void {
  checkProportion(counts);
  if (!(p >= 0 && p <= 1)) throw new RangeError(`a probability is between 0 and 1, not ${p}`);
}
