import type { ArtifactStore } from '../artifacts/index.js';
import { readCycle } from '../cycles/index.js';
import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import type { Policy } from '../policy/index.js';
import { withKeyLock } from './key-lock.js';
import { withPatience } from './patience.js';
import type { TrainingJob, TrainingProvider, TrainingProviders } from './training-provider.js';
import { readTrainingRun, type TrainingRun, trainingRunIdOf } from './training-run.js';

export interface SubmitInput {
  cycleId: string;
  datasetId: string;
  /** Identifies the job for ever: in the intent row, and at the trainer as `metadata.understudy_key`. */
  key: string;
  asOf: Date;
  signal?: AbortSignal;
  /** How long the trainer may be away, in milliseconds; default one minute. */
  patienceMs?: number;
  onRetry?: () => void;
}

/**
 * Has the cycle's frozen dataset trained: at most one job for a key, whatever is retried or killed on the way. The intent
 * row comes first, then the trainer is searched for a job with the key, and only when there is none are files and job made.
 *
 * Throws `training_cancelled` for a run that was given up, `artifact_missing` or `artifact_refused` for a dataset that is
 * no longer what was frozen, `trainer_unreachable`, `trainer_nonsense`, `training_failed`.
 */
export async function submitTraining(
  db: Db,
  store: ArtifactStore,
  providers: TrainingProviders,
  input: SubmitInput,
): Promise<{ trainingRunId: string; jobId: string }> {
  const cycle = await readCycle(db, input.cycleId);
  const { provider: name, base_url: baseUrl, api_key: apiKey } = cycle.policy.trainer;
  // Before the intent: without its secret no trainer was asked for anything, and giving up must not need it either.
  const provider = providers({ provider: name, baseUrl, apiKey });
  const trainingRunId = trainingRunIdOf(input.cycleId);
  await writeIntent(db, trainingRunId, input, cycle.policy);
  return withKeyLock(db, input.key, async () => {
    const run = await readTrainingRun(db, trainingRunId);
    if (run.status === 'cancelled') throw new UnderstudyError('training_cancelled', { job: run.jobId ?? run.key });
    if (run.jobId !== null) return { trainingRunId, jobId: run.jobId };
    const job =
      (await findJob(provider, input)) ??
      (await createJob(db, store, provider, run, { ...input, policy: cycle.policy }));
    await db.prisma.trainingRun.update({
      where: { id: trainingRunId },
      data: { jobId: job.id, status: 'submitted', submittedAt: input.asOf },
    });
    return { trainingRunId, jobId: job.id };
  });
}

async function writeIntent(
  db: Db,
  id: string,
  { cycleId, datasetId, key, asOf }: SubmitInput,
  policy: Policy,
): Promise<void> {
  const { trainer, base_model: baseModel, name: model } = policy;
  await db.prisma.trainingRun.createMany({
    data: {
      id,
      model,
      cycleId,
      datasetId,
      key,
      provider: trainer.provider,
      baseUrl: trainer.base_url,
      baseModel,
      status: 'intended',
      createdAt: asOf,
    },
    skipDuplicates: true,
  });
}

/** Of several jobs with the key, the one that got furthest. */
async function findJob(
  provider: TrainingProvider,
  { key, ...patience }: SubmitInput,
): Promise<TrainingJob | undefined> {
  const jobs = await withPatience({ patienceMs: 60_000, ...patience }, () => provider.findJobs(key, patience.signal));
  return jobs.find(({ state }) => state === 'succeeded') ?? jobs.find(({ state }) => state === 'going') ?? jobs[0];
}

async function createJob(
  db: Db,
  store: ArtifactStore,
  provider: TrainingProvider,
  run: TrainingRun,
  input: SubmitInput & { policy: Policy },
): Promise<TrainingJob> {
  const { signal, policy } = input;
  const dataset = await db.prisma.dataset.findUnique({ where: { id: run.datasetId } });
  if (dataset?.uri == null) throw new UnderstudyError('not_found', { what: `Frozen dataset ${run.datasetId}` });
  const { files } = await store.verify(dataset.uri);
  const upload = async (name: string) => {
    const path = await store.localPath(`${dataset.uri}/${name}`);
    return withPatience({ patienceMs: 60_000, ...input }, () =>
      provider.upload(`${dataset.digest}-${name}`, path, signal),
    );
  };
  const trainingFile = await upload('train.jsonl');
  const validationFile = files.some(({ name }) => name === 'validation.jsonl')
    ? await upload('validation.jsonl')
    : null;
  // Not with patience: when the answer is lost, the job may exist. The next attempt searches for it first.
  return provider.createJob(
    { key: run.key, model: run.model, baseModel: run.baseModel, trainingFile, validationFile, trainer: policy.trainer },
    signal,
  );
}
