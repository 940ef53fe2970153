/**
 * Several metrics of the same subjects, as sums. Each metric is a ratio Σx/Σm over subjects: the mean of what was measured
 * m times, with total x. A subject without a measurement of a metric has m = 0 there and still counts for the others.
 *
 * Totals and products are taken of (x − reference·m, m) rather than (x, m): measurements far from zero, a latency of 1e8
 * nanoseconds say, would otherwise lose their digits when the products are subtracted. Any reference near the mean does,
 * and it must be the same in both arms only as far as that helps; results do not depend on it.
 */
export interface MetricSums {
  /** subjects with at least one measurement of any metric */
  readonly N: number;
  /** one per metric */
  readonly references: readonly number[];
  /** Σ of (x − reference·m, m), metric after metric: 2·M values */
  readonly totals: readonly number[];
  /** Σ of products of those 2·M values, row by row: (2·M)² values */
  readonly products: readonly number[];
}

/** One subject: for each metric what was measured, in total, and how often. */
export type SubjectMetrics = readonly { readonly x: number; readonly m: number }[];

/**
 * Adds subjects up.
 * @param references one per metric; left out: the means of these subjects
 * @throws RangeError for subjects with different numbers of metrics, m < 0, or a total without a measurement
 */
export function sumMetrics(subjects: readonly SubjectMetrics[], references?: readonly number[]): MetricSums {
  const count = references?.length ?? subjects[0]?.length ?? 0;
  if (
    !subjects.every((metrics) => metrics.length === count && metrics.every(({ x, m }) => m > 0 || (m === 0 && x === 0)))
  )
    throw new RangeError(`every subject has the same ${count} metrics, and a total of 0 where m = 0`);
  const around = references ?? meansOf(subjects, count);
  const width = 2 * count;
  const totals = new Array<number>(width).fill(0);
  const products = new Array<number>(width * width).fill(0);
  let N = 0;
  for (const metrics of subjects) {
    if (!metrics.some(({ m }) => m > 0)) continue;
    N += 1;
    const values = metrics.flatMap(({ x, m }, j) => [x - (around[j] as number) * m, m]);
    values.forEach((a, row) => {
      totals[row]! += a;
      values.forEach((b, column) => {
        products[row * width + column]! += a * b;
      });
    });
  }
  return { N, references: around, totals, products };
}

function meansOf(subjects: readonly SubjectMetrics[], count: number): number[] {
  return Array.from({ length: count }, (_, j) => {
    let [x, m] = [0, 0];
    for (const metrics of subjects) {
      x += metrics[j]!.x;
      m += metrics[j]!.m;
    }
    return m === 0 ? 0 : x / m;
  });
}

export interface MetricEstimates {
  /** Σx/Σm of every metric */
  readonly means: readonly number[];
  /** of those means, with N/(N−1), row by row */
  readonly covariance: readonly (readonly number[])[];
}

/**
 * The means and their covariance by the delta method: the part of a subject in a mean is (x − mean·m)/Σm, and subjects are
 * independent (Deng, Knoblich and Lu 2018). Null with fewer than two subjects or a metric that was never measured.
 */
export function estimateMetrics({ N, references, totals, products }: MetricSums): MetricEstimates | null {
  const width = totals.length;
  if (N < 2 || references.some((_, j) => !(totals[2 * j + 1]! > 0))) return null;
  /** mean less reference */
  const offset = references.map((_, j) => totals[2 * j]! / totals[2 * j + 1]!);
  const at = (row: number, column: number) => products[row * width + column]!;
  const covariance = offset.map((a, i) =>
    offset.map((b, j) => {
      const [x, m, y, n] = [2 * i, 2 * i + 1, 2 * j, 2 * j + 1];
      const sum = at(x, y) - b * at(x, n) - a * at(m, y) + a * b * at(m, n);
      const value = ((N / (N - 1)) * sum) / (totals[m]! * totals[n]!);
      return i === j ? Math.max(0, value) : value;
    }),
  );
  return { means: references.map((reference, j) => reference + offset[j]!), covariance };
}
