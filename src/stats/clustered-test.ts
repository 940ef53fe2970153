import { type ClusterSums, designEffect } from './cluster.js';
import { twoSidedP } from './normal.js';
import type { Limits } from './score-limits.js';
import { differenceOfProportions } from './two-proportions.js';

export interface ClusteredTest {
  /** false when an arm has fewer than two subjects or all outcomes are alike; z is then 0 and p is 1 */
  readonly tested: boolean;
  /** positive share of the champion, null without outcomes */
  readonly pChampion: number | null;
  readonly pChallenger: number | null;
  /** design effects, at least 1; null with fewer than two subjects */
  readonly dChampion: number | null;
  readonly dChallenger: number | null;
  /** pChallenger − pChampion, null when an arm has no outcomes */
  readonly delta: number | null;
  readonly z: number;
  /** two-sided */
  readonly p: number;
  /** I = 1/(p̄(1−p̄)(D_c/n_c + D_t/n_t)), the inverse of the variance under "no difference"; null when not tested */
  readonly information: number | null;
  /** √(Σ D p(1−p)/n), for the interval; null when a design effect is */
  readonly seInterval: number | null;
}

/**
 * The two-proportion z-test on subjects: pooled variance p̄(1−p̄), each arm's share of it enlarged by its own design
 * effect. With one observation per subject this is `twoProportionZ`. The plain delta-method z is not used: with a small
 * challenger arm it is skewed and finds too many identical models better.
 */
export function clusteredTest(champion: ClusterSums, challenger: ClusterSums): ClusteredTest {
  const dChampion = designEffect(champion);
  const dChallenger = designEffect(challenger);
  const pChampion = champion.n === 0 ? null : champion.x / champion.n;
  const pChallenger = challenger.n === 0 ? null : challenger.x / challenger.n;
  const delta = pChampion === null || pChallenger === null ? null : differenceOfProportions(champion, challenger);
  const shown = { pChampion, pChallenger, dChampion, dChallenger, delta };
  if (dChampion === null || dChallenger === null || delta === null)
    return { ...shown, tested: false, z: 0, p: 1, information: null, seInterval: null };
  const seInterval = Math.sqrt(binomialVariance(champion, dChampion) + binomialVariance(challenger, dChallenger));
  const n = champion.n + challenger.n;
  const x = champion.x + challenger.x;
  if (x === 0 || x === n) return { ...shown, tested: false, z: 0, p: 1, information: null, seInterval };
  const variance = (x / n) * ((n - x) / n) * (dChampion / champion.n + dChallenger / challenger.n);
  const z = delta / Math.sqrt(variance);
  return { ...shown, tested: true, z, p: twoSidedP(z), information: 1 / variance, seInterval };
}

/** Δ ± c·seInterval; null when an arm has fewer than two subjects. */
export function clusteredInterval({ delta, seInterval }: ClusteredTest, c: number): Limits | null {
  if (delta === null || seInterval === null) return null;
  return { lower: delta - c * seInterval, upper: delta + c * seInterval };
}

function binomialVariance({ n, x }: ClusterSums, design: number): number {
  return (design * (x / n) * ((n - x) / n)) / n;
}
