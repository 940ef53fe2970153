import type { Db } from '../db/index.js';
import type { TrainingProgress } from './training-provider.js';

/**
 * Writes how far a run has come into its `metrics` (`step`, `totalSteps`, `loss`), for those who watch the database. Only
 * what is new, and never over the metrics of a run that has ended. Shown, not relied on: a write that fails is left out.
 */
export function progressRecorder(db: Db, trainingRunId: string): (progress: TrainingProgress) => void {
  let written: number | null = null;
  let writing = false;
  return ({ step, totalSteps, loss }) => {
    if (writing || step === null || step === written) return;
    writing = true;
    db.prisma.trainingRun
      .updateMany({
        where: { id: trainingRunId, status: { in: ['submitted', 'running'] } },
        data: { metrics: { step, totalSteps, loss } },
      })
      .then(
        () => {
          written = step;
        },
        () => undefined,
      )
      .finally(() => {
        writing = false;
      });
  };
}
