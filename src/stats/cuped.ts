import { type Comparison, comparison, compositeOf } from './composite.js';
import { estimateMetrics, type MetricSums } from './metric-sums.js';

export interface Cuped extends Comparison {
  /** what is taken off per unit of the subjects' history; 0 when the history does not vary */
  readonly theta: number;
  /** share of the variance of Δ that the history explained, in [0, 1) */
  readonly reduction: number;
}

/**
 * Δ adjusted for what the subjects were like before the experiment (CUPED: Deng, Xu, Kohavi and Walker 2013). Arms are
 * given by chance, so a difference in history is chance too, and what follows from it is taken off:
 *
 *     Δ_adjusted = Δ − θ·Δ_before,   θ = Σ cov(outcome, before) / Σ var(before), over both arms
 *
 * Both metrics come by the delta method, so that subjects with few or many measurements weigh as they do in Δ; one without
 * a history has m = 0 there.
 *
 * @param champion sums of two metrics: the outcome, and the same (or another) thing measured before the first exposure
 * @throws RangeError for any other number of metrics
 */
export function cuped(champion: MetricSums, challenger: MetricSums): Cuped {
  if (champion.references.length !== 2 || challenger.references.length !== 2)
    throw new RangeError('the adjustment takes two metrics: the outcome and the one before');
  const [c, t] = [estimateMetrics(champion), estimateMetrics(challenger)];
  const before = (c?.covariance[1]?.[1] ?? 0) + (t?.covariance[1]?.[1] ?? 0);
  const both = (c?.covariance[0]?.[1] ?? 0) + (t?.covariance[0]?.[1] ?? 0);
  const theta = before > 0 ? both / before : 0;
  const adjusted = comparison(compositeOf(champion, [1, -theta]), compositeOf(challenger, [1, -theta]));
  const plain = comparison(compositeOf(champion, [1, 0]), compositeOf(challenger, [1, 0]));
  const reduction = plain.tested && adjusted.se !== null ? 1 - (adjusted.se / (plain.se as number)) ** 2 : 0;
  // The arms keep their values as measured: only the difference is adjusted.
  return {
    ...adjusted,
    ...{ champion: plain.champion, challenger: plain.challenger },
    ...{ theta, reduction: Math.min(1, Math.max(0, reduction)) },
  };
}
