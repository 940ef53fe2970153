/**
 * A ratio Σx/Σm over subjects who contribute several observations each. Observations of one person resemble each other,
 * so the subject is the unit of variance (delta method; Deng, Knoblich and Lu 2018), and the design effect says by how
 * much that variance exceeds the one of independent observations (Kish 1965).
 */
export interface ClusterSums {
  /** subjects with m > 0 */
  readonly N: number;
  /** Σm */
  readonly n: number;
  /** Σx */
  readonly x: number;
  /** Σm² */
  readonly m2: number;
  /** Σx² */
  readonly x2: number;
  /** Σx·m */
  readonly xm: number;
}

/**
 * V = N/(N−1) · Σ(x − p·m)² / n² for 0/1 outcomes, from whole-number sums; null with fewer than two subjects.
 *
 * The square is expanded here, Σx² − 2pΣxm + p²Σm², which is ruinous for measurements far from zero (1e8 ± 1 has no
 * digit left). For 0/1 outcomes it is safe: the sums are whole numbers and exact, x <= m keeps the result of the same
 * size as its terms unless p is near 1, and there failures are counted instead of successes, which is the same sum of
 * squares seen from the other end. Use `clusterVarianceOf` for anything that is not a count.
 */
export function clusterVariance({ N, n, x, m2, x2, xm }: ClusterSums): number | null {
  if (N < 2 || n === 0) return null;
  const failures = x > n / 2;
  const p = (failures ? n - x : x) / n;
  const squares = failures ? m2 - 2 * xm + x2 : x2;
  const products = failures ? m2 - xm : xm;
  const sum = squares - 2 * p * products + p * p * m2;
  return ((N / (N - 1)) * Math.max(0, sum)) / (n * n);
}

/** The same V for any outcome, from the subjects themselves and centred first. Subjects without observations count not. */
export function clusterVarianceOf(subjects: readonly { readonly x: number; readonly m: number }[]): number | null {
  const counted = subjects.filter(({ m }) => m > 0);
  if (counted.length < 2) return null;
  let x = 0;
  let n = 0;
  for (const s of counted) {
    x += s.x;
    n += s.m;
  }
  const ratio = x / n;
  let sum = 0;
  for (const s of counted) sum += (s.x - ratio * s.m) ** 2;
  return ((counted.length / (counted.length - 1)) * sum) / (n * n);
}

/**
 * D = V / (p(1−p)/n), at least 1; exactly 1 when everybody has one observation or all outcomes are alike; null with
 * fewer than two subjects, where nothing can be tested.
 */
export function designEffect(sums: ClusterSums): number | null {
  const variance = clusterVariance(sums);
  if (variance === null) return null;
  const { n, x, m2 } = sums;
  if (m2 === n || x === 0 || x === n) return 1;
  return Math.max(1, variance / (((x / n) * ((n - x) / n)) / n));
}
