import { sleep } from '@temporalio/workflow';
import type { RegisteredVersion } from '../../activities/contract.js';
import * as activities from '../activities.js';
import type { Cycle } from '../cycle.js';
import { parkUntilDone } from '../parking.js';
import type { UndoList } from '../saga.js';
import { UNLOAD_VERSION } from '../undo-names.js';

/** Has every replica serve the candidate, and one smoke prompt answered by each. */
export async function load(cycle: Cycle, { version }: RegisteredVersion, undo: UndoList): Promise<void> {
  await cycle.enter('loading');
  undo.add(UNLOAD_VERSION, () => drainAndUnload(cycle, version, cycle.status.experiment !== null));
  await parkUntilDone(cycle, 'loadVersion', () => activities.loadVersion({ model: cycle.model, version }));
}

/** Takes a version from every replica; one that has `served` only after the requests that are under way have ended. */
export async function drainAndUnload(cycle: Cycle, version: number, served: boolean): Promise<void> {
  if (served && cycle.plan.drainMs > 0) await sleep(cycle.plan.drainMs);
  await activities.unloadVersion({ model: cycle.model, version });
}
