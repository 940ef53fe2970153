import { type MetricSums, pickMetrics, type WeightedTest, weightedTest } from '../stats/index.js';
import type { MetricRule } from './metric-rules.js';
import type { MeasuredArm } from './metric-sums-sql.js';

/** What was measured in both arms at one moment. */
export interface MeasuredArms {
  /** names of the metrics, in order */
  readonly names: readonly string[];
  readonly champion: MeasuredArm;
  readonly challenger: MeasuredArm;
}

/** How much there is of a metric in an arm; of a composite, of the part with least. */
export interface MetricCount {
  /** interactions */
  readonly n: number;
  readonly subjects: number;
}

export interface MetricComparison extends WeightedTest {
  readonly counts: { readonly champion: MetricCount; readonly challenger: MetricCount };
}

/**
 * Compares the arms by one metric, as measured: Δ is challenger minus champion, whatever is better. Null when it was not asked
 * for, which is as unknown as one without measurements.
 */
export function compareMetric(
  { names, champion, challenger }: MeasuredArms,
  rule: MetricRule,
): MetricComparison | null {
  const parts = Object.keys(rule.weights);
  const picked = parts.map((part) => names.indexOf(part));
  if (picked.includes(-1)) return null;
  const counts = { champion: leastOf(champion, picked), challenger: leastOf(challenger, picked) };
  const sums = (arm: MeasuredArm, { subjects }: MetricCount): MetricSums => pickMetrics(arm, picked, subjects);
  const test = weightedTest(
    sums(champion, counts.champion),
    sums(challenger, counts.challenger),
    parts.map((part) => rule.weights[part]!),
  );
  return { ...test, counts };
}

function leastOf({ measured }: MeasuredArm, picked: readonly number[]): MetricCount {
  const parts = picked.map((j) => measured[j]!);
  return { n: Math.min(...parts.map(({ n }) => n)), subjects: Math.min(...parts.map(({ subjects }) => subjects)) };
}

/** A difference as improvement: positive is better. */
export function improvement(rule: Pick<MetricRule, 'better'>, delta: number): number {
  // Not -0, which is another text in a digest.
  return rule.better === 'higher' || delta === 0 ? delta : -delta;
}
