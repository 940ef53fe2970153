import type { Db } from '../db/index.js';
import { designEffect, type Prior } from '../stats/index.js';
import { slowLimitsOf } from './experiment.js';
import { metricHistory, type PrimarySettings } from './metric-history.js';
import { outcomeMetricOf, ruleOfPrimary } from './metric-rules.js';
import { versionOutcomes } from './version-outcomes.js';

const DAYS_30 = 30 * 86_400_000;

/**
 * What is known of a version before an experiment: positive share p₀ and design effect D₀ of what it answered in the 30
 * days before `asOf`; with a primary metric that is no share its mean and the variance of one measurement. Null without
 * outcomes, without variation or with fewer than two subjects.
 */
export async function championHistory(
  db: Pick<Db, 'pool'>,
  request: { model: string; version: number; asOf: Date; settings: PrimarySettings },
): Promise<Prior | null> {
  const { model, version, asOf, settings } = request;
  const from = new Date(asOf.getTime() - DAYS_30);
  const rule = ruleOfPrimary(settings.experiment);
  if (rule?.type === 'number') {
    const past = { model, version, from, to: asOf, asOf, subjectsOnly: false };
    const history = await metricHistory(db, past, settings, rule);
    return history && { p0: history.value, D0: history.variance };
  }
  const sums = await versionOutcomes(db, {
    ...{ model, version, from, asOf, minRating: settings.min_rating },
    ...{ primary: outcomeMetricOf(settings.experiment), slowLimits: slowLimitsOf(settings) },
  });
  const D0 = designEffect(sums);
  if (D0 === null || sums.x === 0 || sums.x === sums.n) return null;
  return { p0: sums.x / sums.n, D0 };
}
