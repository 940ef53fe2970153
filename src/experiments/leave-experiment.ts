import type { Db, Tx } from '../db/index.js';
import { changeRoute, type NextRoute, type Route, type RouteAction, readRoute } from '../routing/index.js';
import { type Experiment, type ExperimentEnd, endEvidence, endRows } from './experiment.js';

export interface Leaving {
  experiment: Experiment;
  /** Where the route goes from where it stands. */
  next: (route: Route) => NextRoute | Promise<NextRoute>;
  action: RouteAction;
  actor: string;
  reason: string;
  evidence: Record<string, unknown>;
  requestId: string;
  /** The cycle on whose behalf it happens; null when a person does it. */
  cycleId: string | null;
  end: ExperimentEnd;
  alongside?: (tx: Tx) => Promise<void>;
}

/**
 * Takes the route off an experiment and ends the experiment's row, in one transaction. A route that is not on the
 * experiment any more is left alone (`left: false`), whoever moved it.
 */
export async function leaveExperiment(
  db: Db,
  leaving: Leaving,
): Promise<{ left: true; epoch: number } | { left: false; route: Route }> {
  const { experiment, action, actor, reason, evidence, requestId, cycleId, end } = leaving;
  for (;;) {
    const route = await readRoute(db, experiment.model);
    if (route.experimentId !== experiment.id) return { left: false, route };
    const result = await changeRoute(db, {
      model: experiment.model,
      expectedEpoch: route.epoch,
      next: await leaving.next(route),
      action,
      actor,
      reason,
      evidence: { ...evidence, end: endEvidence(end) },
      requestId,
      cycleId,
      async alongside(tx) {
        await endRows(tx, { id: experiment.id }, end);
        await leaving.alongside?.(tx);
      },
    });
    if (result.changed) return { left: true, epoch: result.epoch };
    // Lost a race; the route is still on the experiment only if it was changed in another way. Each turn of this loop
    // needs somebody else's commit, so it ends.
  }
}

/** The route without its second arm. */
export function championAlone({ champion, previous }: Route): NextRoute {
  return { champion, previous, challenger: null, share: null, experimentId: null };
}
