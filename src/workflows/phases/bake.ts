import type { BakeFacts, RegisteredVersion } from '../../activities/contract.js';
import type { CycleOutcome } from '../../temporal/workflow-types.js';
import * as activities from '../activities.js';
import { asOf, CYCLE_ACTOR, type Cycle } from '../cycle.js';
import { parkUnless, parkUntilDone } from '../parking.js';
import { requestIdOf } from '../request-id.js';
import type { UndoList } from '../saga.js';
import { changedByOther, halted, type KeepVerdict, rolledBack } from '../verdict.js';
import { waitUntil } from '../wait-until.js';
import { finish } from './close.js';
import type { Promotion } from './promote.js';
import { retire } from './retire.js';

/**
 * The new champion answers all but the holdback, which stays on the old one. Harm or an operator restores the old champion;
 * otherwise the holdback ends and the cycle has promoted.
 */
export async function bake(
  cycle: Cycle,
  candidate: RegisteredVersion,
  { verdict, bakeExperimentId, bakeEndsAt }: Extract<Promotion, { promoted: true }>,
  undo: UndoList,
): Promise<CycleOutcome> {
  await cycle.enter('baking');
  const bad = await watch(cycle, bakeExperimentId, Date.parse(bakeEndsAt));
  if (bad !== null) return retire(cycle, candidate, await restore(cycle, bad), undo);

  cycle.messages.close();
  const ended = await parkUntilDone(cycle, 'endBake', () =>
    activities.endBake({ experimentId: bakeExperimentId, asOf: asOf() }),
  );
  if (ended.routeChanged) return retire(cycle, candidate, changedByOther(ended, true), undo);
  undo.clear();
  const { reason, evidence } = verdict;
  return finish(cycle, { outcome: 'promoted', reason, champion: candidate.version, evidence });
}

/**
 * Waits the bake out and judges it at its end. In between the watch loop judges, every few seconds and with Temporal down
 * as well, and says so; a check more here would cost eleven events of history. Answers why the promotion cannot stand.
 */
async function watch(cycle: Cycle, experimentId: string, endsAt: number): Promise<KeepVerdict | null> {
  const { messages } = cycle;
  await waitUntil(endsAt, () => messages.pending);
  const check = messages.pending
    ? null
    : await parkUnless(
        cycle,
        'checkBake',
        () => messages.pending,
        () => activities.checkBake({ experimentId, asOf: asOf() }),
      );
  const halt = messages.haltOf(experimentId);
  if (halt !== null) return halted({ ...halt, reason: 'bake_harm' });
  if (messages.rollback !== null) return rolledBack(messages.rollback);
  return check === null ? null : judge(cycle, check);
}

function judge(
  cycle: Cycle,
  { rollback, routeChanged, champion, holdback, summary: full }: BakeFacts,
): KeepVerdict | null {
  const summary = full.slice(0, 200);
  cycle.hasBakeCheck(summary);
  if (rollback) {
    const by = { actor: CYCLE_ACTOR, sentence: `bake_harm: ${summary}`.slice(0, 200), served: true };
    const evidence = { champion, holdback, summary };
    return { decision: 'keep', outcome: 'rolled_back', reason: 'bake_harm', ...by, evidence };
  }
  return routeChanged === undefined ? null : changedByOther(routeChanged, true);
}

/** Puts the champion from before back, unless somebody has done so already or moved the route elsewhere. */
async function restore(cycle: Cycle, verdict: KeepVerdict): Promise<KeepVerdict> {
  cycle.messages.close();
  if (verdict.reason === 'route_changed') return verdict;
  const { actor, sentence: reason } = verdict;
  const requestId = requestIdOf(cycle, 'rollback', verdict.requestId);
  const { undone } = await parkUntilDone(cycle, 'undoRoute', () =>
    activities.undoRoute({ cycleId: cycle.id, actor, reason, ...requestId, asOf: asOf() }),
  );
  return { ...verdict, evidence: { ...verdict.evidence, restored_by_this_cycle: undone } };
}
