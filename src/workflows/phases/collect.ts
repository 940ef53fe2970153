import type { CollectedExamples } from '../../activities/contract.js';
import * as activities from '../activities.js';
import { asOf, type Cycle } from '../cycle.js';
import type { UndoList } from '../saga.js';
import { ORPHAN_DATASET } from '../undo-names.js';

/** Chooses the interactions of the look-back that no version has learnt from yet. */
export async function collect(cycle: Cycle, undo: UndoList): Promise<CollectedExamples> {
  const examples = await activities.collect({ cycleId: cycle.id, asOf: asOf() });
  undo.add(ORPHAN_DATASET, () => activities.orphanDataset({ datasetId: examples.datasetId }));
  return examples;
}
