import { setTimeout as sleep } from 'node:timers/promises';
import { type ArtifactStore, inspectAdapter } from '../artifacts/index.js';
import { readCycle } from '../cycles/index.js';
import type { Db, Prisma } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import { nonsense } from './api-client.js';
import { withPatience } from './patience.js';
import { stopJob } from './stop-job.js';
import type { TrainingJob, TrainingProgress, TrainingProvider, TrainingProviders } from './training-provider.js';
import {
  endWithoutAdapter,
  readTrainingRun,
  type TrainedAdapter,
  type TrainingRun,
  trainedAdapter,
} from './training-run.js';

export interface FollowInput {
  trainingRunId: string;
  /** Absolute: a job that is still going then is cancelled. */
  deadline: Date;
  /** Stops following; the job goes on. */
  signal?: AbortSignal;
  /** Called at least at every look at the job, also while the trainer is away: a sign of life. */
  onProgress?: (progress: TrainingProgress) => void;
  /** Milliseconds between looks at first; they become rarer the longer it takes, up to 5 s. */
  pollMs?: number;
  patienceMs?: number;
}

/**
 * Follows a submitted job to its end and records what it made. The adapter is inspected (files, digest, base, rank) before
 * the run counts as succeeded. Asking again after the end answers the same.
 *
 * Throws `training_failed`, `training_cancelled`, `training_too_long` (after cancelling the job), `trainer_unreachable`
 * (away for longer than `patienceMs`), `trainer_nonsense`, and what `inspectAdapter` throws.
 */
export async function followTraining(
  db: Db,
  store: ArtifactStore,
  providers: TrainingProviders,
  input: FollowInput,
): Promise<TrainedAdapter> {
  const run = await readTrainingRun(db, input.trainingRunId);
  if (run.status === 'succeeded') return trainedAdapter(run);
  if (run.status === 'cancelled') throw new UnderstudyError('training_cancelled', { job: run.jobId ?? run.key });
  if (run.status === 'failed') throw new UnderstudyError('training_failed', { detail: run.error });
  if (run.jobId === null) throw new UnderstudyError('not_found', { what: `A submitted job of training run ${run.id}` });
  const { trainer } = (await readCycle(db, run.cycleId)).policy;
  const provider = providers({ provider: run.provider, baseUrl: run.baseUrl, apiKey: trainer.api_key });
  const job = await followToEnd(db, provider, run, run.jobId, input);
  switch (job.state) {
    case 'succeeded':
      return finish(db, store, run, job, trainer.lora.rank);
    case 'cancelled':
      await endWithoutAdapter(db, run, 'cancelled', 'cancelled at the trainer');
      throw new UnderstudyError('training_cancelled', { job: job.id });
    default:
      return fail(db, run, job.error ?? 'the trainer does not say why');
  }
}

async function followToEnd(
  db: Db,
  provider: TrainingProvider,
  run: TrainingRun,
  jobId: string,
  input: FollowInput,
): Promise<TrainingJob> {
  const { deadline, signal, onProgress, pollMs = 1_000, patienceMs = 60_000 } = input;
  let progress: TrainingProgress = { status: run.status, step: null, totalSteps: null, loss: null };
  const patience = { patienceMs, signal, onRetry: () => onProgress?.(progress) };
  const startedAt = performance.now();
  for (;;) {
    const job = await withPatience(patience, () => provider.readJob(jobId, signal));
    if (job === undefined) return fail(db, run, `the trainer no longer knows job ${jobId}`);
    const step = await withPatience(patience, () => provider.readProgress(jobId, signal));
    progress = { ...progress, ...step, status: job.status };
    onProgress?.(progress);
    if (job.state !== 'going') return job;
    if (run.status !== 'running' && step !== undefined) {
      run.status = 'running';
      await db.prisma.trainingRun.updateMany({
        where: { id: run.id, status: 'submitted' },
        data: { status: 'running' },
      });
    }
    if (Date.now() >= deadline.getTime()) {
      await stopJob(provider, jobId, patience);
      await endWithoutAdapter(db, run, 'cancelled', 'not finished by its deadline');
      throw new UnderstudyError('training_too_long', { deadline: deadline.toISOString() });
    }
    await sleep(Math.min(5_000, Math.max(pollMs, (performance.now() - startedAt) / 100)), undefined, { signal });
  }
}

async function finish(
  db: Db,
  store: ArtifactStore,
  run: TrainingRun,
  job: TrainingJob,
  rank: number,
): Promise<TrainedAdapter> {
  if (job.adapter === undefined || job.metrics === undefined)
    throw nonsense('a finished job without understudy.adapter and metrics');
  const { uri, sha256 } = job.adapter;
  try {
    await inspectAdapter(store, uri, { sha256, baseModel: run.baseModel, rank });
  } catch (error) {
    if (error instanceof UnderstudyError && !error.retryable)
      await endWithoutAdapter(db, run, 'failed', `${error.code}: ${error.message}`);
    throw error;
  }
  const recorded = await db.prisma.trainingRun.updateManyAndReturn({
    where: { id: run.id, status: { notIn: ['cancelled', 'failed'] } },
    data: {
      status: 'succeeded',
      adapter: { uri, sha256, base_model: run.baseModel, rank },
      metrics: { ...job.metrics } satisfies Prisma.InputJsonObject,
      finishedAt: new Date(),
    },
  });
  // Given up in the meantime: what was given up must not come back as a success.
  if (recorded[0] === undefined) throw new UnderstudyError('training_cancelled', { job: job.id });
  return trainedAdapter(recorded[0]);
}

async function fail(db: Db, run: TrainingRun, detail: string): Promise<never> {
  await endWithoutAdapter(db, run, 'failed', detail);
  throw new UnderstudyError('training_failed', { detail });
}
