import type { Db } from '../db/index.js';
import {
  backFrom,
  type Cut,
  type Experiment,
  judgeCut,
  judgeExperiment,
  leaveExperiment,
} from '../experiments/index.js';

/** Who moves the route when the watch loop does. */
export const WATCH = 'watch';

export interface Judged {
  experimentId: string;
  model: string;
  /** Why it was stopped; null when it goes on, or when somebody else was faster. */
  stopped: string | null;
}

/**
 * Judges one live experiment and, when it does harm, takes it off the route at once: an A/B test loses its challenger, a
 * bake is rolled back. Route, evidence and the experiment's end are one transaction.
 *
 * @param cut as of `now`, where it has been read already
 */
export async function stopIfHarmful(db: Db, experiment: Experiment, now: Date, cut?: Cut): Promise<Judged> {
  const { id: experimentId, model, kind } = experiment;
  const { reason, evidence, summary } =
    cut === undefined ? await judgeExperiment(db, experiment, now) : judgeCut(experiment, cut, now);
  if (reason === null) return { experimentId, model, stopped: null };
  const left = await leaveExperiment(db, {
    experiment,
    next: (route) => backFrom(db, experiment, route),
    action: kind === 'ab' ? 'harm_stop' : 'rollback',
    actor: WATCH,
    reason: summary,
    evidence: evidence(),
    requestId: `watch:${experimentId}`,
    cycleId: experiment.cycleId,
    end: { decision: kind === 'ab' ? 'reject' : 'rollback', reason, asOf: now },
  });
  return { experimentId, model, stopped: left.left ? reason : null };
}
