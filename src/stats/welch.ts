import type { Limits } from './score-limits.js';
import { studentIsf, studentTwoSidedP } from './student-t.js';

/** A sample by its moments. */
export interface Moments {
  readonly n: number;
  readonly mean: number;
  /** of the sample, divisor n − 1 */
  readonly variance: number;
}

export interface WelchTest {
  /** false with fewer than two values in an arm, or none that differ; t is then 0 and p is 1 */
  readonly tested: boolean;
  /** challenger minus champion */
  readonly delta: number;
  readonly se: number;
  readonly t: number;
  /** Satterthwaite's */
  readonly df: number;
  /** two-sided */
  readonly p: number;
}

/** Welch's t-test (1947) of two means: independent values, variances that may differ. */
export function welchTest(champion: Moments, challenger: Moments): WelchTest {
  for (const { n, mean, variance } of [champion, challenger])
    if (!(Number.isSafeInteger(n) && n >= 0 && variance >= 0 && Number.isFinite(mean)))
      throw new RangeError(`no such sample: n = ${n}, mean = ${mean}, variance = ${variance}`);
  const delta = challenger.mean - champion.mean;
  if (champion.n < 2 || challenger.n < 2) return { tested: false, delta, se: 0, t: 0, df: 0, p: 1 };
  const [vc, vt] = [champion.variance / champion.n, challenger.variance / challenger.n];
  const se = Math.sqrt(vc + vt);
  if (se === 0) return { tested: false, delta, se, t: 0, df: champion.n + challenger.n - 2, p: 1 };
  // In shares of the sum, so that nothing overflows.
  const [wc, wt] = [vc / (vc + vt), vt / (vc + vt)];
  const df = 1 / (wc ** 2 / (champion.n - 1) + wt ** 2 / (challenger.n - 1));
  const t = delta / se;
  return { tested: true, delta, se, t, df, p: studentTwoSidedP(t, df) };
}

/** Δ ± t·se at a two-sided confidence level; null when not tested. */
export function welchInterval({ tested, delta, se, df }: WelchTest, level = 0.95): Limits | null {
  if (!tested) return null;
  const half = studentIsf((1 - level) / 2, df) * se;
  return { lower: delta - half, upper: delta + half };
}
