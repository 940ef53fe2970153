import type { Db } from '../db/index.js';
import {
  foldOutcomes,
  type KeptCut,
  keepOutcomes,
  type OutcomeTerms,
  readOutcomeSums,
  storedTerms,
} from '../outcomes/index.js';
import { isShare, primaryOf } from '../policy/index.js';
import { type Experiment, slowLimitsOf } from './experiment.js';
import { outcomeMetricOf } from './metric-rules.js';
import { type Cut, cutOf } from './read-arms.js';

/** Folding that is behind, as after a day without a server, must not keep a harmful challenger on traffic. */
const FOLD_WITHIN_MS = 5_000;

/** Keeps the sums of all these live experiments, and takes into them what arrived up to `asOf`. */
export async function foldLiveExperiments(
  db: Pick<Db, 'pool'>,
  experiments: readonly Experiment[],
  asOf: Date,
): Promise<void> {
  await keepOutcomes(db, experiments.flatMap(keptCuts));
  await foldOutcomes(db, { asOf, withinMs: FOLD_WITHIN_MS });
}

/**
 * The cuts of live experiments at T = `asOf` without a feedback window, in one query for all that count their outcomes alike. Without
 * those whose sums are not kept, or cannot be those of real arms: `readArms` says more about them.
 */
export async function readLiveCuts(
  db: Pick<Db, 'pool'>,
  experiments: readonly Experiment[],
  asOf: Date,
): Promise<ReadonlyMap<string, Cut>> {
  const alike = new Map<string, { terms: OutcomeTerms; experimentIds: Set<string> }>();
  for (const { experimentId, terms } of experiments.filter(goesBySums).flatMap(keptCuts)) {
    const stored = storedTerms(terms);
    if (!alike.has(stored)) alike.set(stored, { terms, experimentIds: new Set() });
    alike.get(stored)!.experimentIds.add(experimentId);
  }
  const cuts = new Map<string, Cut>();
  for (const { terms, experimentIds } of alike.values()) {
    const sums = await readOutcomeSums(db, { experimentIds: [...experimentIds], asOf, feedbackWindowMs: 0, terms });
    for (const [experimentId, found] of sums) {
      try {
        cuts.set(experimentId, cutOf({ experimentId, asOf }, found, 'sums'));
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    }
  }
  return cuts;
}

/** Is there nothing to judge that the sums do not hold? A primary metric that is no share, and metrics as guardrails, are read from rows. */
function goesBySums({ settings: { experiment } }: Experiment): boolean {
  const {
    primary = 'positive_feedback',
    metrics = [],
    guardrails = [],
  } = (experiment ?? {}) as Partial<typeof experiment>;
  return (
    isShare(primaryOf({ primary, metrics })) &&
    guardrails.every(({ metric }) => metric === 'error_rate' || metric === 'slow_rate')
  );
}

/** What the watch loop and the looks read of an experiment. Nothing of one whose settings cannot be read. */
export function keptCuts({ id: experimentId, kind, settings }: Experiment): KeptCut[] {
  const { min_rating: minRating, experiment } = settings;
  if (typeof minRating !== 'number') return [];
  const terms = { minRating, primary: outcomeMetricOf(experiment), slowLimits: slowLimitsOf(settings) };
  const windows = [0, ...(kind === 'ab' && experiment.feedback_window > 0 ? [experiment.feedback_window] : [])];
  return windows.map((feedbackWindowMs) => ({ experimentId, feedbackWindowMs, terms }));
}
