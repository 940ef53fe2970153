import type { Db } from '../db/index.js';
import { digestOf } from '../policy/index.js';
import type { ArmSums } from '../stats/index.js';
import type { MeasuredArms } from './compare-metric.js';
import { type Experiment, slowLimitsOf, slowRatioOf } from './experiment.js';
import { type MetricRule, measuredMetrics, metricsOf, outcomeMetricOf } from './metric-rules.js';
import { type Cut, readArms } from './read-arms.js';
import { readMetrics } from './read-metrics.js';
import { countSlow } from './slow-requests.js';

/** Everything that was counted for one look at an A/B test. */
export interface LookCut {
  champion: ArmSums;
  second: ArmSums;
  crossed: number;
  /** The declared metrics; left out where there are none. */
  measured?: MeasuredArms;
  /** Q of the slow_rate guardrail; left out where there is no such guardrail. */
  slowLimitMs?: number | null;
}

/** Reads what a look at T = `asOf` is made from, with its digest. */
export async function readCut(
  db: Pick<Db, 'pool'>,
  experiment: Experiment,
  asOf: Date,
): Promise<LookCut & { digest: string }> {
  const { id: experimentId, settings } = experiment;
  const maxRatio = slowRatioOf(settings.experiment);
  // Counted first: a request that is committed meanwhile is then one of the requests, but not among the slow ones of none.
  const slow =
    maxRatio === undefined
      ? undefined
      : await countSlow(db, {
          ...{ experimentId, secondArm: 'challenger', asOf, maxRatio, limitMs: settings.slow_limit_ms ?? null },
        });
  const feedbackWindowMs = settings.experiment.feedback_window;
  const { champion, second, crossed } = await readOutcomes(db, experiment, asOf, feedbackWindowMs);
  const measured =
    measuredMetrics(settings.experiment).length === 0
      ? undefined
      : await readMeasured(db, experiment, asOf, feedbackWindowMs);
  const cut: LookCut = {
    champion: slow ? { ...champion, slow: slow.champion } : champion,
    second: slow ? { ...second, slow: slow.second } : second,
    crossed,
    ...(measured && { measured }),
    ...(slow !== undefined && { slowLimitMs: slow?.limitMs ?? null }),
  };
  return { ...cut, digest: digestOfCut(experimentId, asOf, cut) };
}

/** SHA-256 over experiment, T and all that was counted. */
export function digestOfCut(experiment: string, asOf: Date, cut: LookCut): string {
  return digestOf({ experiment, asOf: asOf.toISOString(), ...cut });
}

/** The arms of an experiment, summed over the outcomes of its primary metric. */
export function readOutcomes(
  db: Pick<Db, 'pool'>,
  experiment: Experiment,
  asOf: Date,
  feedbackWindowMs: number,
): Promise<Cut> {
  return readArms(db, {
    ...requestOf(experiment, asOf, feedbackWindowMs),
    primary: outcomeMetricOf(experiment.settings.experiment),
  });
}

/**
 * What was measured in the arms of an experiment; in a bake the new champion takes the challenger's place.
 *
 * @param rules for which metrics; left out: all that are declared
 */
export async function readMeasured(
  db: Pick<Db, 'pool'>,
  experiment: Experiment,
  asOf: Date,
  feedbackWindowMs: number,
  rules?: readonly MetricRule[],
): Promise<MeasuredArms> {
  const declared = experiment.settings.experiment;
  const metrics = rules === undefined ? measuredMetrics(declared) : metricsOf(declared, rules);
  const request = requestOf(experiment, asOf, feedbackWindowMs);
  const { names, champion, second } = await readMetrics(db, { ...request, metrics });
  return experiment.kind === 'ab'
    ? { names, champion, challenger: second }
    : { names, champion: second, challenger: champion };
}

function requestOf({ id, kind, settings }: Experiment, asOf: Date, feedbackWindowMs: number) {
  return {
    experimentId: id,
    secondArm: kind === 'ab' ? ('challenger' as const) : ('holdback' as const),
    ...{ asOf, feedbackWindowMs, minRating: settings.min_rating, slowLimits: slowLimitsOf(settings) },
  };
}
