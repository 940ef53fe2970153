import type { CuratedDataset, TrainedAdapter } from '../../activities/contract.js';
import * as activities from '../activities.js';
import { asOf, type Cycle } from '../cycle.js';
import { parkUntilDone } from '../parking.js';
import type { UndoList } from '../saga.js';
import { CANCEL_TRAINING } from '../undo-names.js';

/**
 * Has the external trainer make an adapter: one job, found again by its key whatever happens here, followed to its end.
 * When trainer or worker are away for longer than the retries, the cycle parks; the job goes on without it.
 */
export async function train(cycle: Cycle, { datasetId }: CuratedDataset, undo: UndoList): Promise<TrainedAdapter> {
  await cycle.enter('training');
  const key = `${cycle.model}/${cycle.originalRunId}`;
  undo.add(CANCEL_TRAINING, () => activities.cancelTraining({ key }));
  const { jobId, trainingRunId } = await parkUntilDone(cycle, 'submitTraining', () =>
    activities.submitTraining({ cycleId: cycle.id, datasetId, key, asOf: asOf() }),
  );
  cycle.learn({ training: { jobId, steps: null, firstLoss: null, lastLoss: null } });
  const deadline = Date.now() + cycle.plan.maxTrainingMs;
  const adapter = await parkUntilDone(cycle, 'followTraining', () =>
    activities
      .followTrainingFor(Math.max(0, deadline - Date.now()))
      .followTraining({ trainingRunId, deadline: new Date(deadline).toISOString() }),
  );
  const { steps, firstLoss, lastLoss } = adapter;
  cycle.learn({ training: { jobId, steps, firstLoss, lastLoss } });
  return adapter;
}
