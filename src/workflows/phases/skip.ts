import type { CollectedExamples, CuratedDataset } from '../../activities/contract.js';
import type { CycleOutcome } from '../../temporal/workflow-types.js';
import type { Cycle } from '../cycle.js';
import type { UndoList } from '../saga.js';
import { finish } from './close.js';

/** Ends a cycle that has too little to learn from, with the numbers. */
export async function skip(
  cycle: Cycle,
  found: CollectedExamples | CuratedDataset,
  undo: UndoList,
): Promise<CycleOutcome> {
  const { tooFew: _tooFew, datasetId: _datasetId, ...figures } = { digest: undefined, ...found };
  const { digest: _digest, ...evidence } = figures;
  const reason = 'not_enough_examples';
  const steps = undo.steps({ outcome: 'skipped', reason });
  undo.clear();
  return finish(cycle, { outcome: 'skipped', reason, champion: cycle.championBefore, evidence }, steps);
}
