import { type ClusterSums, clusterVariance } from './cluster.js';
import { type Comparison, comparison } from './composite.js';
import { differenceOfProportions } from './two-proportions.js';

export interface NoveltyArms {
  readonly champion: ClusterSums;
  readonly challenger: ClusterSums;
}

export interface Novelty extends Comparison {
  /** Δ of either slice; null when an arm of it has no outcomes */
  readonly early: number | null;
  readonly late: number | null;
}

/**
 * Does the effect wear off? Δ among subjects first exposed early against Δ among those exposed late: disjoint people, so
 * the variances of all four groups add up. `champion` of the result is the early Δ, `challenger` the late one, and `delta`
 * late minus early: clearly below 0, the effect fades. A slice to look at, never a reason to promote.
 */
export function noveltySlice(early: NoveltyArms, late: NoveltyArms): Novelty {
  const [first, second] = [effectOf(early), effectOf(late)];
  return { ...comparison(first, second), early: first?.value ?? null, late: second?.value ?? null };
}

function effectOf({ champion, challenger }: NoveltyArms): { value: number; variance: number } | null {
  const [vc, vt] = [clusterVariance(champion), clusterVariance(challenger)];
  if (vc === null || vt === null) return null;
  return { value: differenceOfProportions(champion, challenger), variance: vc + vt };
}
