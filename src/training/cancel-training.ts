import { readCycle } from '../cycles/index.js';
import type { Db } from '../db/index.js';
import { withKeyLock } from './key-lock.js';
import { type Patience, withPatience } from './patience.js';
import { stopJob } from './stop-job.js';
import type { TrainingProvider, TrainingProviders } from './training-provider.js';
import { endWithoutAdapter } from './training-run.js';

export interface CancelInput {
  key: string;
  signal?: AbortSignal;
  patienceMs?: number;
  onRetry?: () => void;
}

/**
 * Gives a training up: cancels its job at the trainer and follows it to its end. A job that was made but never recorded is
 * found by its key. Succeeds when there is nothing to cancel: no run, a run that has ended, no job. Afterwards no attempt
 * that is still under way can make one. Throws `trainer_unreachable` and `trainer_nonsense`.
 */
export async function cancelTraining(
  db: Db,
  providers: TrainingProviders,
  { key, ...options }: CancelInput,
): Promise<void> {
  const patience = { patienceMs: 60_000, ...options };
  // The lock waits for a submit that is under way, so that its job is not missed.
  await withKeyLock(db, key, async () => {
    const run = await db.prisma.trainingRun.findUnique({ where: { key } });
    if (run === null || ['succeeded', 'failed', 'cancelled'].includes(run.status)) return;
    const { trainer } = (await readCycle(db, run.cycleId)).policy;
    const provider = providers({ provider: run.provider, baseUrl: run.baseUrl, apiKey: trainer.api_key });
    const jobIds = run.jobId === null ? await jobsOf(provider, key, patience) : [run.jobId];
    for (const jobId of jobIds) await stopJob(provider, jobId, patience);
    await endWithoutAdapter(db, run, 'cancelled', null);
  });
}

async function jobsOf(provider: TrainingProvider, key: string, patience: Patience): Promise<string[]> {
  const jobs = await withPatience(patience, () => provider.findJobs(key, patience.signal));
  return jobs.map(({ id }) => id);
}
