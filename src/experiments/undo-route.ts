import type { Db } from '../db/index.js';
import { changeThatLeft, type NextRoute, previousWhenChampion, type Route, readRoute } from '../routing/index.js';
import { type Experiment, endRows, toExperiment } from './experiment.js';
import { judgeExperiment } from './judge-experiment.js';
import { championAlone, leaveExperiment } from './leave-experiment.js';
import { ownedBy } from './route-move.js';
import { testEvidence } from './test-evidence.js';

export interface Undone {
  /** The route was put back, now or by an earlier call. */
  undone: boolean;
  /** Who moved the route off the cycle's experiment, when it was somebody outside the cycle: their route is left alone. */
  changedBy?: string;
}

/**
 * Undoes what a cycle did to the route. On its A/B test: the split ends. In its bake: the previous champion is champion
 * again. Anything else, above all a route that somebody else changed, is left alone. Succeeds when there is nothing to do.
 */
export async function undoRoute(
  db: Db,
  input: { cycleId: string; actor: string; reason: string; requestId?: string; asOf: Date },
): Promise<Undone> {
  const { cycleId, actor, reason, asOf } = input;
  const rows = await db.prisma.experiment.findMany({ where: { cycleId }, orderBy: { startedAt: 'asc' } });
  const experiments = rows.map(toExperiment);
  if (experiments.length === 0) return { undone: false };
  const route = await readRoute(db, experiments[0]!.model);
  const serving = experiments.find(({ id }) => id === route.experimentId);
  // A bake starts later than its test; the newest experiment is the one that the cycle had on the route last.
  const experiment = serving ?? experiments.find(({ kind }) => kind === 'bake') ?? experiments[0]!;
  const requestId = input.requestId ?? `undo:${experiment.id}`;
  if (serving !== undefined) {
    const left = await leaveExperiment(db, {
      experiment,
      next: (now) => backFrom(db, experiment, now),
      action: experiment.kind === 'bake' ? 'rollback' : 'end_experiment',
      actor,
      reason,
      evidence: await undoEvidence(db, experiment, asOf),
      requestId,
      cycleId,
      end: { decision: experiment.kind === 'bake' ? 'rollback' : 'undone', reason, asOf },
    });
    if (left.left) return { undone: true };
  }
  return explainAlone(db, experiment, requestId, asOf);
}

/** Where the route goes when an experiment is undone: the champion from before its cycle, alone. */
export async function backFrom(db: Db, experiment: Experiment, route: Route): Promise<NextRoute> {
  if (experiment.kind === 'ab') return championAlone(route);
  const champion = experiment.challenger;
  const previous = (await previousWhenChampion(db, experiment.model, champion)) ?? null;
  return { champion, previous, challenger: null, share: null, experimentId: null };
}

/** What a route carries as evidence when it leaves an experiment of either kind. */
export async function undoEvidence(db: Db, experiment: Experiment, asOf: Date): Promise<Record<string, unknown>> {
  return experiment.kind === 'bake'
    ? (await judgeExperiment(db, experiment, asOf)).evidence()
    : testEvidence(db, experiment, asOf);
}

async function explainAlone(db: Db, experiment: Experiment, requestId: string, asOf: Date): Promise<Undone> {
  // Whoever moved the route without ending the experiment would otherwise leave one live for ever.
  const end = { decision: 'inconclusive', reason: 'route_changed', asOf };
  await db.prisma.$transaction((tx) => endRows(tx, { cycleId: experiment.cycleId }, end));
  const change = await changeThatLeft(db, experiment.model, experiment.id);
  if (change === null) return { undone: false };
  if (change.requestId === requestId) return { undone: true };
  return ownedBy(change, experiment) ? { undone: false } : { undone: false, changedBy: change.actor };
}
