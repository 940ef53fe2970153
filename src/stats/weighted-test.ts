import { type Composite, compositeOf } from './composite.js';
import { estimateMetrics, type MetricSums } from './metric-sums.js';
import { twoSidedP } from './normal.js';

/** A weighted sum of metrics in two arms, and its test. */
export interface WeightedTest {
  /** false when an arm has fewer than two subjects or a metric without measurements, or nothing varies; z is 0, p is 1 */
  readonly tested: boolean;
  readonly champion: Composite | null;
  readonly challenger: Composite | null;
  /** challenger minus champion */
  readonly delta: number | null;
  readonly z: number;
  /** two-sided */
  readonly p: number;
  /** 1/variance of Δ under "no difference"; null when not tested */
  readonly information: number | null;
  /** √(V_c + V_t), for the interval; null when not known */
  readonly seInterval: number | null;
}

/**
 * Compares Σ_j w_j·(Σx_j/Σm_j) of two arms with the subject as the unit of variance, and one covariance for both arms in the
 * test, as under "no difference": the plain z is skewed where one arm is small. With one metric of weight 1 this is the common
 * z of `compareRatios`:
 *
 *     Q_ij = Σ(x_i − R_i·m_i)(x_j − R_j·m_j) in each arm, n_i = Σm_i, K = N_c + N_t
 *     C_ij = K/(K−2) · (Q_ij,c + Q_ij,t)/√((n_i,c + n_i,t)(n_j,c + n_j,t)) · (1/√(n_i,c·n_j,c) + 1/√(n_i,t·n_j,t))
 *     z = Δ/√(wᵀCw)
 *
 * @throws RangeError when weights and metrics differ in number
 */
export function weightedTest(champion: MetricSums, challenger: MetricSums, weights: readonly number[]): WeightedTest {
  const [c, t] = [compositeOf(champion, weights), compositeOf(challenger, weights)];
  if (c === null || t === null) {
    const nothing = { delta: null, z: 0, p: 1, information: null, seInterval: null };
    return { tested: false, champion: c, challenger: t, ...nothing };
  }
  const delta = t.value - c.value;
  const seInterval = Math.sqrt(c.variance + t.variance);
  const variance = commonVariance(champion, challenger, weights);
  const shown = { champion: c, challenger: t, delta, seInterval };
  if (!(variance > 0)) return { ...shown, tested: false, z: 0, p: 1, information: null };
  const z = delta / Math.sqrt(variance);
  return { ...shown, tested: true, z, p: twoSidedP(z), information: 1 / variance };
}

function commonVariance(champion: MetricSums, challenger: MetricSums, weights: readonly number[]): number {
  const arms = [champion, challenger].map((sums) => ({
    n: sums.references.map((_, j) => sums.totals[2 * j + 1]!),
    Q: crossProducts(sums),
  }));
  const [c, t] = arms as [(typeof arms)[0], (typeof arms)[0]];
  const K = champion.N + challenger.N;
  let sum = 0;
  weights.forEach((a, i) => {
    weights.forEach((b, j) => {
      const both = Math.sqrt((c.n[i]! + t.n[i]!) * (c.n[j]! + t.n[j]!));
      const reach = 1 / Math.sqrt(c.n[i]! * c.n[j]!) + 1 / Math.sqrt(t.n[i]! * t.n[j]!);
      sum += a * b * ((c.Q[i]![j]! + t.Q[i]![j]!) / both) * reach;
    });
  });
  return Math.max(0, (K / (K - 2)) * sum);
}

/** Σ of products of the residuals of two metrics, from the covariance of their means. */
function crossProducts(sums: MetricSums): number[][] {
  const { covariance } = estimateMetrics(sums)!;
  const scale = (sums.N - 1) / sums.N;
  return covariance.map((row, i) =>
    row.map((value, j) => value * scale * sums.totals[2 * i + 1]! * sums.totals[2 * j + 1]!),
  );
}

/** Some of the metrics of an arm, in the order asked for, seen as of `N` subjects. */
export function pickMetrics(
  { references, totals, products }: MetricSums,
  picked: readonly number[],
  N: number,
): MetricSums {
  const width = totals.length;
  const columns = picked.flatMap((j) => [2 * j, 2 * j + 1]);
  return {
    N,
    references: picked.map((j) => references[j]!),
    totals: columns.map((column) => totals[column]!),
    products: columns.flatMap((row) => columns.map((column) => products[row * width + column]!)),
  };
}
