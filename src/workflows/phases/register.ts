import { patched } from '@temporalio/workflow';
import type { RegisteredVersion, TrainedAdapter } from '../../activities/contract.js';
import * as activities from '../activities.js';
import { asOf, type Cycle } from '../cycle.js';
import { failedWith } from '../failures.js';
import { parkUntilDone } from '../parking.js';
import type { UndoList } from '../saga.js';
import { ARCHIVE_VERSION, CANCEL_TRAINING, ORPHAN_DATASET } from '../undo-names.js';

/** Makes the adapter a version. From here on the version owns dataset and job: they are no longer undone, it is archived. */
export async function register(cycle: Cycle, adapter: TrainedAdapter, undo: UndoList): Promise<RegisteredVersion> {
  await cycle.enter('registering');
  const candidate = await parkUntilDone(cycle, 'registerVersion', () =>
    activities.registerVersion({ cycleId: cycle.id, trainingRunId: adapter.trainingRunId }),
  );
  const { version } = candidate;
  undo.add(ARCHIVE_VERSION, () => archiveUnlessInUse(cycle.model, version));
  undo.release(CANCEL_TRAINING);
  undo.release(ORPHAN_DATASET);
  cycle.hasCandidate(version);
  return candidate;
}

/** Somebody may have put the version into the route by hand: then it is theirs, and there is nothing to undo. */
async function archiveUnlessInUse(model: string, version: number): Promise<void> {
  try {
    await activities.retireVersion({ model, version, state: 'archived', asOf: asOf() });
  } catch (error) {
    // Cycles from before asked an operator here, and may be waiting for the answer.
    if (!failedWith(error, 'conflict') || !patched('undo-leaves-a-version-in-use')) throw error;
  }
}
