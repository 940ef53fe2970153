import { informationOfHundred, initialInformation, type Prior } from '../stats/index.js';
import type { MetricRule } from './metric-rules.js';

/**
 * I₀ of an experiment's always-valid bounds. Of a metric that is no share the prior holds the mean as `p0` and as `D0` the
 * variance of one measurement, with what measurements of one subject have in common.
 */
export function informationAtStart(rule: MetricRule | undefined, prior: Prior | null, share: number): number {
  return rule?.type === 'number' ? informationOfHundred(prior?.D0 ?? 1, share) : initialInformation(prior, share);
}

/**
 * What stands for a history that there is none of. Any I₀ that is fixed beforehand leaves the bounds valid; a fifth of I_max is
 * about what a history makes it under the default policy.
 */
export function withoutHistory(rule: MetricRule | undefined, maxInformation: number, share: number): Prior {
  if (rule?.type !== 'number') return { p0: 0.5, D0: 1 };
  return { p0: 0, D0: informationOfHundred(1, share) / (maxInformation / 5) };
}
