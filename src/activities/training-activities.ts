import { cancelTraining, followTraining, progressRecorder, submitTraining } from '../training/index.js';
import type { ActivityDeps } from './activity-deps.js';
import type { Activities } from './contract.js';
import { cancellation, heartbeat } from './in-activity.js';

type TrainingActivities = Pick<Activities, 'submitTraining' | 'followTraining' | 'cancelTraining'>;

/** One external training job: submitted once, followed, cancelled. */
export function trainingActivities({ db, store, providers }: ActivityDeps): TrainingActivities {
  const onRetry = () => heartbeat();
  return {
    submitTraining: ({ asOf, ...input }) =>
      submitTraining(db, store, providers, { ...input, asOf: new Date(asOf), onRetry, ...cancellation() }),
    followTraining({ trainingRunId, deadline }) {
      const record = progressRecorder(db, trainingRunId);
      return followTraining(db, store, providers, {
        trainingRunId,
        deadline: new Date(deadline),
        onProgress(progress) {
          heartbeat(progress);
          record(progress);
        },
        ...cancellation(),
      });
    },
    cancelTraining: ({ key }) => cancelTraining(db, providers, { key, onRetry, ...cancellation() }),
  };
}
