import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import {
  changeRoute,
  findRouteChange,
  previousWhenChampion,
  type Route,
  type RouteChangeRecord,
  readRoute,
} from '../routing/index.js';
import { holdVersion } from '../serving/index.js';
import { type Experiment, endEvidence, endRows, readExperiment } from './experiment.js';
import { assertMayServe } from './start-experiment.js';
import { undoEvidence } from './undo-route.js';

export interface RollBackDeps {
  db: Db;
  /** Makes every replica serve a version; succeeds when it does already. Throws what serving throws. */
  loadVersion: (model: string, version: number) => Promise<void>;
}

export interface RolledBack {
  /** The epoch the rollback made. */
  epoch: number;
  fromVersion: number;
  toVersion: number;
  /** The workflow of the cycle whose experiment was ended by it, to be told; null when there was none. */
  cycleWorkflowId: string | null;
  /** The candidate that the cycle is about; null when there was none. */
  candidate: number | null;
}

/** Which version a rollback would go to. Throws `unknown_model`, `unknown_version`, `version_rejected`, `nothing_to_roll_back`. */
export async function planRollback(
  db: Db,
  input: { model: string; toVersion?: number },
): Promise<{ model: string; toVersion: number; fromVersion: number; epoch: number }> {
  const { model } = input;
  const route = await readRoute(db, model);
  const toVersion = input.toVersion ?? route.previous;
  if (toVersion === null) throw new UnderstudyError('nothing_to_roll_back', { model });
  await assertMayServe(db, model, toVersion);
  return { model, toVersion, fromVersion: route.champion, epoch: route.epoch };
}

/**
 * Makes an earlier version champion: `toVersion`, or the route's `previous`. A version that is not loaded is loaded first;
 * a live experiment ends with it. The version takes the `previous` along that it had when it was last champion, so that a
 * second rollback goes further back. The same request id again answers the first rollback, also one that found the version in charge. Needs Postgres, not Temporal.
 * Throws what `planRollback` throws, and what serving throws for a version that the route does not keep loaded.
 */
export async function rollBack(
  deps: RollBackDeps,
  input: { model: string; toVersion?: number; actor: string; reason: string; requestId: string; asOf?: Date },
): Promise<RolledBack> {
  const { db } = deps;
  const { model, requestId } = input;
  const repeated = await findRouteChange(db, model, requestId);
  if (repeated !== null) return answerEarlier(db, repeated, input.toVersion);
  const unmoved = await db.prisma.unmovedRequest.findUnique({ where: { model_requestId: { model, requestId } } });
  if (unmoved !== null) return answerUnmoved(unmoved, input.toVersion);
  // Where to is settled once: a rollback that loses a race against another one must not go back two versions.
  const { toVersion } = await planRollback(db, input);
  const { champion, previous, challenger } = await readRoute(db, model);
  // The route's versions are kept loaded: for them a server that does not answer must not hold up a rollback.
  if ([champion, previous, challenger].includes(toVersion)) {
    const loaded = await deps.loadVersion(model, toVersion).then(
      () => true,
      () => false,
    );
    return moveBack(db, input, toVersion, loaded);
  }
  // Whoever unloads what has left the route waits until the route is on it, and then leaves it alone.
  return holdVersion(db, { model, version: toVersion }, async () => {
    await deps.loadVersion(model, toVersion);
    return moveBack(db, input, toVersion, true);
  });
}

async function moveBack(
  db: Db,
  input: Parameters<typeof rollBack>[1],
  toVersion: number,
  loaded: boolean,
): Promise<RolledBack> {
  const { model, requestId } = input;
  for (;;) {
    const route = await readRoute(db, model);
    const fromVersion = route.champion;
    const experiment = route.experimentId === null ? null : await readExperiment(db, route.experimentId);
    if (fromVersion === toVersion && experiment === null) {
      const twin = await findRouteChange(db, model, requestId);
      if (twin !== null) return answerEarlier(db, twin, input.toVersion);
      const found = { model, requestId, version: toVersion, epoch: route.epoch };
      await db.prisma.unmovedRequest.createMany({ data: found, skipDuplicates: true });
      return answerUnmoved(found, input.toVersion);
    }
    const before = await previousWhenChampion(db, model, toVersion);
    const previous = previousOf(route, toVersion, before);
    const asOf = input.asOf ?? new Date();
    const end = { decision: 'rollback', reason: 'operator', asOf };
    const moved = await changeRoute(db, {
      model,
      expectedEpoch: route.epoch,
      next: { champion: toVersion, previous, challenger: null, share: null, experimentId: null },
      action: 'rollback',
      actor: input.actor,
      reason: input.reason,
      evidence: {
        ...(await evidenceOf(db, experiment, asOf)),
        ...{ from: fromVersion, to: toVersion, loaded },
        ...(experiment !== null && { end: endEvidence(end) }),
      },
      // A version that was never in charge gets there without its evaluation and its floor: that is shown for ever.
      forced: before === undefined,
      requestId,
      // Loading takes its time: the version may have been rejected meanwhile.
      before: (tx) => assertMayServe({ prisma: tx }, model, toVersion),
      async alongside(tx) {
        // Also one that somebody took off the route without ending it.
        await endRows(tx, { model }, end);
        await tx.version.updateMany({
          where: { model, version: toVersion, state: 'archived' },
          data: { state: 'candidate', retiredAt: null },
        });
      },
    });
    if (!moved.changed) continue;
    return { epoch: moved.epoch, fromVersion, toVersion, ...(await cycleOf(db, experiment)) };
  }
}

/** What the version had before it when it was last champion. One that never was has the champion it takes over from. */
function previousOf(route: Route, toVersion: number, before: number | null | undefined): number | null {
  if (route.champion === toVersion) return route.previous;
  return before === undefined ? route.champion : before;
}

async function answerEarlier(db: Db, change: RouteChangeRecord, toVersion: number | undefined): Promise<RolledBack> {
  const { model, requestId, epoch, before, after } = change;
  const same = change.action === 'rollback' && (toVersion === undefined || toVersion === after.champion);
  if (!same || before === null) throw new UnderstudyError('request_id_reused', { request_id: requestId, model });
  const experiment = before.experimentId === null ? null : await readExperiment(db, before.experimentId);
  return {
    epoch,
    fromVersion: before.champion,
    toVersion: after.champion,
    ...(await cycleOf(db, experiment)),
  };
}

/** The version was in charge, and nothing moved. */
function answerUnmoved(
  { model, requestId, version, epoch }: { model: string; requestId: string; version: number; epoch: number },
  toVersion: number | undefined,
): RolledBack {
  if (toVersion !== undefined && toVersion !== version)
    throw new UnderstudyError('request_id_reused', { request_id: requestId, model });
  return { epoch, fromVersion: version, toVersion: version, cycleWorkflowId: null, candidate: null };
}

/** Outside an experiment a person decides: there is nothing that was counted. */
async function evidenceOf(db: Db, experiment: Experiment | null, asOf: Date): Promise<Record<string, unknown>> {
  return experiment === null ? { n: null, interval: null, boundary: null } : undoEvidence(db, experiment, asOf);
}

/** Whom to tell, and about which candidate. A cycle that has ended hears nothing. */
async function cycleOf(
  db: Db,
  experiment: Experiment | null,
): Promise<Pick<RolledBack, 'cycleWorkflowId' | 'candidate'>> {
  const live = experiment && (await db.prisma.cycle.findFirst({ where: { id: experiment.cycleId, endedAt: null } }));
  if (!live) return { cycleWorkflowId: null, candidate: null };
  const candidate = experiment.kind === 'ab' ? experiment.challenger : experiment.champion;
  return { cycleWorkflowId: live.workflowId, candidate };
}
