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
 * @param champion sums of two metrics: the outcome, and the same (or another) thing measured before the first exposure. Of a
 * composite the parts of the outcome, and then as many parts of the one before
 * @param weights of the parts; left out: one part of weight 1
 * @throws RangeError for any other number of metrics
 */
export function cuped(champion: MetricSums, challenger: MetricSums, weights: readonly number[] = [1]): Cuped {
  const parts = weights.length;
  if (champion.references.length !== 2 * parts || challenger.references.length !== 2 * parts)
    throw new RangeError('the adjustment takes each metric twice: the outcome and the one before');
  const none = weights.map(() => 0);
  const [outcome, earlier] = [
    [...weights, ...none],
    [...none, ...weights],
  ];
  const both = covarianceOf(champion, outcome, earlier) + covarianceOf(challenger, outcome, earlier);
  const before = covarianceOf(champion, earlier, earlier) + covarianceOf(challenger, earlier, earlier);
  const theta = before > 0 ? both / before : 0;
  const less = [...weights, ...weights.map((weight) => -theta * weight)];
  const adjusted = comparison(compositeOf(champion, less), compositeOf(challenger, less));
  const plain = comparison(compositeOf(champion, outcome), compositeOf(challenger, outcome));
  const reduction = plain.tested && adjusted.se !== null ? 1 - (adjusted.se / (plain.se as number)) ** 2 : 0;
  // The arms keep their values as measured: only the difference is adjusted.
  return {
    ...adjusted,
    ...{ champion: plain.champion, challenger: plain.challenger },
    ...{ theta, reduction: Math.min(1, Math.max(0, reduction)) },
  };
}

/** aᵀΣb, of two weighted sums in one arm; 0 where nothing is known. */
function covarianceOf(arm: MetricSums, a: readonly number[], b: readonly number[]): number {
  const { covariance = [] } = estimateMetrics(arm) ?? {};
  return covariance.reduce((sum, row, i) => sum + row.reduce((part, value, j) => part + a[i]! * b[j]! * value, 0), 0);
}
