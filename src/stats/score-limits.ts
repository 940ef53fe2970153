import { type ClusterSums, designEffect } from './cluster.js';
import { checkProportion, differenceOfProportions, type Proportion } from './two-proportions.js';

export interface Limits {
  readonly lower: number;
  readonly upper: number;
}

/**
 * Wilson's score limits for one proportion (Wilson 1927): the p for which the observed x is exactly `z` standard errors
 * away. `z` is the normal quantile wanted: 1.96 for a two-sided 95 % interval, 1.645 for one 95 % limit on one side.
 * With no trials nothing is known: [0, 1].
 */
export function wilsonLimits(arm: Proportion, z: number): Limits {
  checkProportion(arm);
  const { n, x } = arm;
  return n === 0 ? { lower: 0, upper: 1 } : scoreLimits(x / n, n, z);
}

/**
 * The same where several observations come from one subject: with n/D observations instead of n. When all outcomes are
 * alike the design effect cannot be seen; then every subject counts once. Null with fewer than two subjects.
 */
export function clusteredLimits(sums: ClusterSums, z: number): Limits | null {
  const { n, x, N } = sums;
  const design = designEffect(sums);
  if (design === null) return null;
  return scoreLimits(x / n, x === 0 || x === n ? N : n / design, z);
}

function scoreLimits(p: number, n: number, z: number): Limits {
  const scale = 1 + (z * z) / n;
  const centre = p + (z * z) / (2 * n);
  const half = z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  // At the ends the limit is exactly 0 or 1; the formula would leave 1e-17 there.
  return {
    lower: p === 0 ? 0 : Math.max(0, (centre - half) / scale),
    upper: p === 1 ? 1 : Math.min(1, (centre + half) / scale),
  };
}

/**
 * Newcombe's hybrid score limits for p(challenger) − p(champion) (Newcombe 1998, method 10, no continuity correction).
 * Each limit taken alone is one-sided at the level of `z`; both together are the two-sided interval.
 * With an empty arm nothing is known: [-1, 1].
 */
export function newcombeLimits(champion: Proportion, challenger: Proportion, z: number): Limits {
  const c = wilsonLimits(champion, z);
  const t = wilsonLimits(challenger, z);
  if (champion.n === 0 || challenger.n === 0) return { lower: -1, upper: 1 };
  const pc = champion.x / champion.n;
  const pt = challenger.x / challenger.n;
  const delta = differenceOfProportions(champion, challenger);
  return {
    lower: Math.max(-1, delta - Math.hypot(pt - t.lower, c.upper - pc)),
    upper: Math.min(1, delta + Math.hypot(t.upper - pt, pc - c.lower)),
  };
}
