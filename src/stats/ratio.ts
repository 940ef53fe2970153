import { type Comparison, compareComposites } from './composite.js';
import { type MetricSums, sumMetrics } from './metric-sums.js';

/** A subject's total of a metric and how often it was measured. */
export interface SubjectTotal {
  readonly x: number;
  readonly m: number;
}

export interface RatioComparison extends Comparison {
  /**
   * z with one variance for both arms, as under "no difference". The plain z is skewed where one arm is small, and finds
   * too many identical models better; this one hardly is. 0 when not tested.
   */
  readonly zCommon: number;
  /** 1/variance of Δ under "no difference": what looks are measured by; null when not tested */
  readonly informationCommon: number | null;
}

/** Sums of one metric, for `compareRatios`: cost per answer, latency, a score. */
export function sumRatio(subjects: readonly SubjectTotal[], reference?: number): MetricSums {
  return sumMetrics(
    subjects.map((subject) => [subject]),
    reference === undefined ? (subjects.length === 0 ? [0] : undefined) : [reference],
  );
}

/**
 * Compares Σx/Σm of two arms, with the subject as the unit of variance. A mean per subject is the case m = 1.
 *
 *     V_a = N/(N−1) · Σ(x − R·m)² / (Σm)²        z = Δ/√(V_c + V_t)
 *     common: K/(K−2) · (Q_c + Q_t)/(n_c + n_t) · (1/n_c + 1/n_t),  Q = Σ(x − R·m)², K = N_c + N_t, n = Σm
 *
 * @throws RangeError for sums of more than one metric
 */
export function compareRatios(champion: MetricSums, challenger: MetricSums): RatioComparison {
  const plain = compareComposites(champion, challenger, [1]);
  if (!plain.tested || plain.variances === null || plain.delta === null)
    return { ...plain, zCommon: 0, informationCommon: null };
  const [nc, nt] = [champion.totals[1]!, challenger.totals[1]!];
  const [vc, vt] = plain.variances;
  const squares = (vc * nc * nc * (champion.N - 1)) / champion.N + (vt * nt * nt * (challenger.N - 1)) / challenger.N;
  const K = champion.N + challenger.N;
  const variance = (((K / (K - 2)) * squares) / (nc + nt)) * (1 / nc + 1 / nt);
  return { ...plain, zCommon: plain.delta / Math.sqrt(variance), informationCommon: 1 / variance };
}
