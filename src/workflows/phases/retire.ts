import { patched } from '@temporalio/workflow';
import type { RegisteredVersion } from '../../activities/contract.js';
import type { CycleOutcome } from '../../temporal/workflow-types.js';
import * as activities from '../activities.js';
import { asOf, type Cycle } from '../cycle.js';
import { failedWith } from '../failures.js';
import type { UndoList } from '../saga.js';
import type { KeepVerdict } from '../verdict.js';
import { finish } from './close.js';
import { drainAndUnload } from './load.js';

/**
 * Ends the cycle of a candidate that lost. One that was shown to be bad is rejected and can never serve; any other is
 * archived and can be rolled forward to. Its adapter leaves the replicas once the requests under way have ended.
 */
export async function retire(
  cycle: Cycle,
  { version }: RegisteredVersion,
  verdict: KeepVerdict,
  undo: UndoList,
): Promise<CycleOutcome> {
  // The route has gone back and the outcome stands: from here on there is something to finish and nothing to undo.
  undo.clear();
  cycle.messages.close();
  const { outcome, reason, served, evidence } = verdict;
  const state = outcome === 'rejected' || reason === 'bake_harm' ? 'rejected' : 'archived';
  const champion = reason === 'route_changed' ? null : cycle.championBefore;
  return finish(cycle, { outcome, reason, champion, evidence }, [
    { name: 'retire the version', run: () => retireUnlessInUse(cycle.model, version, state) },
    { name: 'unload the version', run: () => drainAndUnload(cycle, version, served) },
  ]);
}

/** A version that somebody has put into the route is theirs now. */
async function retireUnlessInUse(model: string, version: number, state: 'archived' | 'rejected'): Promise<void> {
  try {
    await activities.retireVersion({ model, version, state, asOf: asOf() });
  } catch (error) {
    if (!failedWith(error, 'conflict')) throw error;
  }
}

/** Undoes a candidate. Somebody may have put it into the route by hand: then it is theirs, and there is nothing to undo. */
export async function archiveUnlessInUse(model: string, version: number): Promise<void> {
  try {
    await activities.retireVersion({ model, version, state: 'archived', asOf: asOf() });
  } catch (error) {
    // Cycles from before asked an operator here, and may be waiting for the answer.
    if (!failedWith(error, 'conflict') || !patched('undo-leaves-a-version-in-use')) throw error;
  }
}
