import { type Comparison, type Composite, comparison, compositeOf } from './composite.js';
import type { MetricSums } from './metric-sums.js';

export interface NoveltyArms {
  readonly champion: MetricSums;
  readonly challenger: MetricSums;
}

export interface Novelty extends Comparison {
  /** Δ of either slice; null when an arm of it has fewer than two subjects, or nothing was measured */
  readonly early: number | null;
  readonly late: number | null;
}

/**
 * Does the effect wear off? Δ among subjects first exposed early against Δ among those exposed late: disjoint people, so
 * the variances of all four groups add up. `champion` of the result is the early Δ, `challenger` the late one, and `delta`
 * late minus early: clearly on the other side of 0 than the early Δ, the effect fades. A slice to look at, never a reason to
 * promote.
 *
 * @param weights one per metric of the sums
 * @throws RangeError when weights and metrics differ in number
 */
export function noveltySlice(early: NoveltyArms, late: NoveltyArms, weights: readonly number[] = [1]): Novelty {
  const [first, second] = [effectOf(early, weights), effectOf(late, weights)];
  return { ...comparison(first, second), early: first?.value ?? null, late: second?.value ?? null };
}

function effectOf({ champion, challenger }: NoveltyArms, weights: readonly number[]): Composite | null {
  const [c, t] = [compositeOf(champion, weights), compositeOf(challenger, weights)];
  return c === null || t === null ? null : { value: t.value - c.value, variance: c.variance + t.variance };
}
