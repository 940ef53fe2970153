import type { RegisteredVersion } from '../../activities/contract.js';
import * as activities from '../activities.js';
import type { Cycle } from '../cycle.js';
import type { UndoList } from '../saga.js';
import { ARCHIVE_VERSION } from '../undo-names.js';
import { archiveUnlessInUse } from './retire.js';

/** Makes a version that was made elsewhere, or in an earlier cycle, the candidate of this one. */
export async function adopt(cycle: Cycle, version: number, undo: UndoList): Promise<RegisteredVersion> {
  const candidate = await activities.adoptVersion({ cycleId: cycle.id, version });
  undo.add(ARCHIVE_VERSION, () => archiveUnlessInUse(cycle.model, version));
  cycle.hasCandidate(version);
  return candidate;
}
