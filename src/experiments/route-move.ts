import type { Db } from '../db/index.js';
import { changeThatLeft, lastRouteChange, type RouteAction, type RouteChangeRecord } from '../routing/index.js';
import { type Experiment, endRows } from './experiment.js';

/** The route was found elsewhere than expected: somebody else moved it, and it was left alone. */
export interface RouteChangedByOther {
  routeChanged: true;
  actor: string;
  /** The epoch of the change that was found. */
  epoch: number;
  /** What the change was, e.g. `rollback`. */
  action?: RouteAction;
}

export type RouteMove = { routeChanged?: false; epoch: number } | RouteChangedByOther;

/** Who moved a model's route last. */
export async function movedByOther(db: Db, model: string): Promise<RouteChangedByOther> {
  const change = await lastRouteChange(db, model);
  return change === null ? { routeChanged: true, actor: 'unknown', epoch: 0 } : foundChange(change);
}

/**
 * What it means that the route is not on an experiment any more. Left by the experiment's own cycle or the watch loop on
 * its behalf: all is well. Left by anybody else: reported. An experiment that somebody left without ending it is ended.
 */
export async function explainLeft(db: Db, experiment: Experiment, asOf: Date): Promise<RouteMove> {
  const change = await changeThatLeft(db, experiment.model, experiment.id);
  if (experiment.endedAt === null) {
    await db.prisma.$transaction((tx) =>
      endRows(tx, { id: experiment.id }, { decision: 'inconclusive', reason: 'route_changed', asOf }),
    );
  }
  if (change === null) return movedByOther(db, experiment.model);
  return ownedBy(change, experiment) ? { epoch: change.epoch } : foundChange(change);
}

export function foundChange({ actor, epoch, action }: RouteChangeRecord): RouteChangedByOther {
  return { routeChanged: true, actor, epoch, action };
}

export function ownedBy(change: RouteChangeRecord, experiment: Experiment): boolean {
  return change.cycleId === experiment.cycleId;
}
