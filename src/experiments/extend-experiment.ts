import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import { changeRoute, findRouteChange, readRoute } from '../routing/index.js';
import { maxInformationOf } from './boundary.js';
import { readExperiment, ruleOf } from './experiment.js';
import { movedByOther, type RouteChangedByOther } from './route-move.js';

export type ExtendedExperiment = { routeChanged?: false; epoch: number; maxEndsAt: string } | RouteChangedByOther;

/**
 * Puts off the last look of an A/B test. Arms, share, I_max and the alpha that was spent stay as they are: the looks that
 * come are held against boundaries of the same rule. It is a change of the route like any other, so that the chain of changes
 * holds it. The same request id again answers the first one. Throws `conflict` when the last look was due, or for a bake.
 */
export async function extendExperiment(
  db: Db,
  input: { experimentId: string; byMs: number; actor: string; reason: string; requestId: string; asOf: Date },
): Promise<ExtendedExperiment> {
  const { byMs, actor, reason, requestId, asOf } = input;
  const experiment = await readExperiment(db, input.experimentId);
  const { id, model, kind, cycleId, maxEndsAt } = experiment;
  const repeated = await findRouteChange(db, model, requestId);
  if (repeated !== null) return { epoch: repeated.epoch, maxEndsAt: String(repeated.evidence.to) };
  if (kind !== 'ab' || asOf >= maxEndsAt || byMs <= 0) {
    throw new UnderstudyError('conflict', { detail: `Experiment ${id} cannot be extended any more.` });
  }
  const route = await readRoute(db, model);
  if (route.experimentId !== id) return movedByOther(db, model);
  const to = new Date(maxEndsAt.getTime() + byMs);
  const evidence = {
    experiment: id,
    as_of: asOf.toISOString(),
    by_ms: byMs,
    from: maxEndsAt.toISOString(),
    to: to.toISOString(),
    i_max: maxInformationOf(ruleOf(experiment)),
  };
  const moved = await changeRoute(db, {
    model,
    expectedEpoch: route.epoch,
    next: route,
    action: 'extend_experiment',
    actor,
    reason,
    evidence,
    requestId,
    cycleId,
    async alongside(tx) {
      await tx.experiment.update({ where: { id }, data: { maxEndsAt: to } });
    },
  });
  if (!moved.changed) return movedByOther(db, model);
  // By this call or by an earlier one with the same request id, whose end counts.
  const change = await findRouteChange(db, model, requestId);
  return { epoch: moved.epoch, maxEndsAt: String(change!.evidence.to) };
}
