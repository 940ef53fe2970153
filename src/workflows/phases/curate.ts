import type { CollectedExamples, CuratedDataset } from '../../activities/contract.js';
import * as activities from '../activities.js';
import { asOf, type Cycle } from '../cycle.js';

/** Cleans, redacts, splits and freezes what was collected. Its dataset is on the undo list since `collect`. */
export async function curate(cycle: Cycle, { datasetId }: CollectedExamples): Promise<CuratedDataset> {
  await cycle.enter('curating');
  const dataset = await activities.curate({ cycleId: cycle.id, datasetId, asOf: asOf() });
  const { considered, kept, train, validation, digest } = dataset;
  cycle.learn({ dataset: { id: datasetId, considered, kept, train, validation, digest } });
  return dataset;
}
