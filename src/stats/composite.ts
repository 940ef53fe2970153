import { estimateMetrics, type MetricSums } from './metric-sums.js';
import { normalIsf, twoSidedP } from './normal.js';
import type { Limits } from './score-limits.js';

export interface Comparison {
  /** false when an arm has fewer than two subjects or a metric without measurements, or nothing varies; z is 0, p is 1 */
  readonly tested: boolean;
  readonly champion: number | null;
  readonly challenger: number | null;
  /** challenger minus champion; null when either is */
  readonly delta: number | null;
  /** variances of the two values; null when not known */
  readonly variances: readonly [number, number] | null;
  readonly se: number | null;
  readonly z: number;
  /** two-sided */
  readonly p: number;
  /** 1/se², what `group_sequential` counts; null when not tested */
  readonly information: number | null;
}

/**
 * Compares a weighted sum of metrics, such as 0.5·quality + 0.3·feedback − 0.2·latency. The metrics of a subject hang
 * together, so that the variance is wᵀΣw with all covariances. Weights carry the units: a latency in seconds with −0.2
 * costs 0.2 a second. One metric with weight 1 is the comparison of two means or ratios.
 *
 * @param weights one per metric
 * @throws RangeError when weights and metrics differ in number
 */
export function compareComposites(
  champion: MetricSums,
  challenger: MetricSums,
  weights: readonly number[],
): Comparison {
  const [c, t] = [compositeOf(champion, weights), compositeOf(challenger, weights)];
  return comparison(c, t);
}

export interface Composite {
  readonly value: number;
  readonly variance: number;
}

/** The weighted sum in one arm and its variance; null where `estimateMetrics` is. */
export function compositeOf(sums: MetricSums, weights: readonly number[]): Composite | null {
  if (sums.references.length !== weights.length || !weights.every(Number.isFinite))
    throw new RangeError(`${sums.references.length} metrics need as many weights, not ${weights.length}`);
  const estimates = estimateMetrics(sums);
  if (estimates === null) return null;
  let [value, variance] = [0, 0];
  weights.forEach((a, i) => {
    value += a * estimates.means[i]!;
    weights.forEach((b, j) => {
      variance += a * b * estimates.covariance[i]![j]!;
    });
  });
  return { value, variance: Math.max(0, variance) };
}

/** Two independent estimates compared: Δ, its standard error, z and p. */
export function comparison(champion: Composite | null, challenger: Composite | null): Comparison {
  const values = { champion: champion?.value ?? null, challenger: challenger?.value ?? null };
  if (champion === null || challenger === null)
    return { ...values, tested: false, delta: null, variances: null, se: null, z: 0, p: 1, information: null };
  const delta = challenger.value - champion.value;
  const variance = champion.variance + challenger.variance;
  const variances = [champion.variance, challenger.variance] as const;
  const se = Math.sqrt(variance);
  if (!(variance > 0)) return { ...values, tested: false, delta, variances, se, z: 0, p: 1, information: null };
  const z = delta / se;
  return { ...values, tested: true, delta, variances, se, z, p: twoSidedP(z), information: 1 / variance };
}

/** Δ ± c·se, c a boundary or, when left out, z_.975; null when there is no standard error or c is infinite. */
export function comparisonInterval({ delta, se }: Comparison, c: number = normalIsf(0.025)): Limits | null {
  if (delta === null || se === null || c === Infinity) return null;
  return { lower: delta - c * se, upper: delta + c * se };
}
