import type { RegisteredVersion, TrainedAdapter } from '../../activities/contract.js';
import * as activities from '../activities.js';
import type { Cycle } from '../cycle.js';
import { parkUntilDone } from '../parking.js';
import type { UndoList } from '../saga.js';
import { ARCHIVE_VERSION, CANCEL_TRAINING, ORPHAN_DATASET } from '../undo-names.js';
import { archiveUnlessInUse } from './retire.js';

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
