import type { MetricSums } from './metric-sums.js';

/**
 * Two disjoint sets of subjects as one.
 * @throws RangeError where references differ: sums around different references do not add up
 */
export function addMetricSums(a: MetricSums, b: MetricSums): MetricSums {
  if (a.references.length !== b.references.length || a.references.some((reference, j) => reference !== b.references[j]))
    throw new RangeError('only sums around the same references add up');
  const add = (some: readonly number[], others: readonly number[]) => some.map((value, i) => value + others[i]!);
  return {
    N: a.N + b.N,
    references: a.references,
    totals: add(a.totals, b.totals),
    products: add(a.products, b.products),
  };
}
