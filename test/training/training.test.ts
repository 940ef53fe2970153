import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { collect } from '../../src/curation/index.js';
import { freezeDataset } from '../../src/datasets/index.js';
import { UnderstudyError } from '../../src/errors.js';
import {
  cancelTraining,
  createTrainingProviders,
  type FollowInput,
  followTraining,
  type SubmitInput,
  submitTraining,
  type TrainingProgress,
} from '../../src/training/index.js';
import { type FakeTrainer, startFakeTrainer } from '../support/fake-trainer.js';
import { startFakeVllm } from '../support/fake-vllm.js';
import {
  noSecrets,
  openStage,
  type Stage,
  seedCycle,
  seedInteraction,
  seedModel,
  thumbsUp,
} from '../support/stage-fixtures.js';

const asOf = new Date('2026-11-10T12:00:00.000Z');
const providers = createTrainingProviders(noSecrets);

let stage: Stage;
let trainer: FakeTrainer;
let model: string;
let models = 0;
let input: SubmitInput;

beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());
beforeEach(async () => {
  trainer = await startFakeTrainer({ artifactsRoot: stage.root });
  models += 1;
  model = `training-${models}`;
  await seedModel(stage.db, model, {
    trainer: {
      base_url: trainer.url,
      lora: { rank: 8, alpha: 16, dropout: 0, learning_rate: 0.001 },
      epochs: 3,
      seed: 7,
    },
    curation: { validation_share: 0.3 },
  });
  for (let i = 0; i < 20; i++) {
    await seedInteraction(stage.db, {
      model,
      askedAt: new Date(asOf.getTime() - 60_000),
      subject: `s${i}`,
      feedback: [thumbsUp],
    });
  }
  const cycleId = await seedCycle(stage.db, model, asOf);
  const { datasetId } = await collect(stage.db, { cycleId, asOf });
  await freezeDataset(stage.db, stage.store, { cycleId, asOf });
  input = { cycleId, datasetId, key: `${model}/run`, asOf, patienceMs: 300 };
});
afterEach(() => trainer.close());

const submit = (more: Partial<SubmitInput> = {}) =>
  submitTraining(stage.db, stage.store, providers, { ...input, ...more });
const follow = (trainingRunId: string, more: Partial<FollowInput> = {}) =>
  followTraining(stage.db, stage.store, providers, {
    trainingRunId,
    deadline: new Date(Date.now() + 60_000),
    pollMs: 10,
    patienceMs: 300,
    ...more,
  });
const cancel = () => cancelTraining(stage.db, providers, { key: input.key, patienceMs: 300 });
const storedRun = () => stage.db.prisma.trainingRun.findUniqueOrThrow({ where: { key: input.key } });
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof UnderstudyError ? error.code : `unexpected ${String(error)}`),
  );

describe('submitting', () => {
  test('uploads train and validation and creates a job with its key, base, LoRA settings and seed', async () => {
    const { jobId } = await submit();
    expect(trainer.jobs).toHaveLength(1);
    const { body } = trainer.jobs[0]!;
    expect(body).toMatchObject({
      model: 'tiny/base',
      suffix: model,
      seed: 7,
      method: { type: 'supervised', supervised: { hyperparameters: { n_epochs: 3 } } },
      metadata: { understudy_key: input.key },
      understudy: {
        key: input.key,
        base_model: 'tiny/base',
        lora: { rank: 8, alpha: 16, dropout: 0, learning_rate: 0.001 },
        seed: 7,
      },
    });
    const dataset = await stage.db.prisma.dataset.findUniqueOrThrow({ where: { id: input.datasetId } });
    const uploaded = [body.training_file, body.validation_file!].map(
      (id) => trainer.files.get(id)!.text.trim().split('\n').length,
    );
    expect(uploaded).toEqual([dataset.train, dataset.validation]);
    expect(await storedRun()).toMatchObject({
      jobId,
      status: 'submitted',
      submittedAt: asOf,
      provider: 'reference',
      baseUrl: trainer.url,
    });
  });

  test('again answers the same job without asking the trainer', async () => {
    const first = await submit();
    await trainer.close();
    expect(await submit()).toEqual(first);
  });

  test('several times at once makes one job, also at a trainer that does not know keys', async () => {
    trainer.behaviour.idempotentByKey = false;
    const all = await Promise.all([submit(), submit(), submit()]);
    expect(new Set(all.map(({ jobId }) => jobId)).size).toBe(1);
    expect(trainer.jobs).toHaveLength(1);
  });

  test('finds the job whose creation was never answered, behind hundreds of others', async () => {
    trainer.behaviour.idempotentByKey = false;
    trainer.drop(1, 'after', /POST .*jobs$/);
    expect(await code(submit())).toBe('trainer_unreachable');
    expect(trainer.jobs).toHaveLength(1);
    expect(await storedRun()).toMatchObject({ status: 'intended', jobId: null });
    const [mine] = trainer.jobs;
    for (let i = 0; i < 250; i++)
      trainer.jobs.push({
        ...mine!,
        id: `other-${i}`,
        key: `k${i}`,
        body: { ...mine!.body, metadata: { understudy_key: `k${i}` } },
      });
    expect(await submit()).toMatchObject({ jobId: mine!.id });
    expect(trainer.jobs).toHaveLength(251);
  });

  test('waits for a trainer that is away for a moment', async () => {
    trainer.drop(1, 'before', /jobs$/);
    trainer.drop(1, 'before', /files$/);
    let retries = 0;
    await submit({ patienceMs: 5_000, onRetry: () => retries++ });
    expect(retries).toBe(2);
  });

  test('says that the trainer does not answer', async () => {
    trainer.drop(100, 'before');
    expect(await code(submit())).toBe('trainer_unreachable');
    await trainer.close();
    const error = await submit().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'trainer_unreachable', retryable: true, details: { detail: 'ECONNREFUSED' } });
  });

  test('says that something else answers where the trainer should be', async () => {
    const other = await startFakeVllm();
    await stage.db.pool.query(
      `UPDATE cycles SET policy = jsonb_set(policy, '{trainer,base_url}', to_jsonb($2::text)) WHERE id = $1`,
      [input.cycleId, other.url],
    );
    expect(await code(submit())).toBe('trainer_nonsense');
    await other.close();
  });

  test('says why the trainer refuses, without what it quotes', async () => {
    trainer.behaviour.refusesJobs = 'no base model here, row "my secret" was read';
    const error = await submit().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'training_failed',
      message: expect.stringContaining('no base model here, row … was read'),
    });
  });

  test('refuses a dataset that was changed since it was frozen, and one that was never frozen', async () => {
    const dataset = await stage.db.prisma.dataset.findUniqueOrThrow({ where: { id: input.datasetId } });
    const other = await stage.store.putFiles('datasets', { 'train.jsonl': 'x' });
    await stage.db.prisma.dataset.update({
      where: { id: dataset.id },
      data: { uri: other.uri.replace(/.{4}$/, '0000') },
    });
    expect(await code(submit())).toBe('artifact_missing');
    await stage.db.pool.query(`UPDATE datasets SET uri = NULL, digest = NULL, state = 'collecting' WHERE id = $1`, [
      dataset.id,
    ]);
    expect(await code(submit())).toBe('not_found');
    expect(trainer.jobs).toHaveLength(0);
  });
});

describe('following', () => {
  test('shows each step and records the inspected adapter', async () => {
    trainer.behaviour.runningMs = 200;
    const { trainingRunId, jobId } = await submit();
    const seen: TrainingProgress[] = [];
    const adapter = await follow(trainingRunId, { onProgress: (progress) => seen.push(progress) });
    expect(adapter).toEqual({
      trainingRunId,
      jobId,
      adapterSha256: trainer.jobs[0]!.adapter!.sha256,
      steps: 20,
      firstLoss: 3.2,
      lastLoss: 0.4,
      seconds: 1.5,
    });
    const steps = seen.flatMap(({ step }) => step ?? []);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    expect(
      seen.some(
        ({ step, totalSteps, loss }) => step !== null && step < 20 && totalSteps === 20 && loss !== null && loss > 0.4,
      ),
    ).toBe(true);
    expect(await storedRun()).toMatchObject({
      status: 'succeeded',
      adapter: { rank: 8, base_model: 'tiny/base' },
      metrics: { rows: expect.any(Number) },
    });
    await trainer.close();
    expect(await follow(trainingRunId)).toEqual(adapter);
  });

  test('takes a status nobody knows as still going', async () => {
    Object.assign(trainer.behaviour, { queuedAs: 'meditating', queuedMs: 80 });
    const { trainingRunId } = await submit();
    const statuses = new Set<string>();
    await follow(trainingRunId, { onProgress: ({ status }) => statuses.add(status) });
    expect([...statuses]).toEqual(expect.arrayContaining(['meditating', 'succeeded']));
  });

  test('outlasts a trainer that is away for a moment, with signs of life', async () => {
    Object.assign(trainer.behaviour, { outcome: 'hang' });
    const { trainingRunId } = await submit();
    trainer.drop(2, 'before');
    setTimeout(() => trainer.finishAll(), 100);
    let signs = 0;
    await follow(trainingRunId, { patienceMs: 5_000, onProgress: () => signs++ });
    expect(signs).toBeGreaterThanOrEqual(3);
  });

  test('gives up an absent trainer for now and goes on later', async () => {
    trainer.behaviour.runningMs = 5;
    const { trainingRunId } = await submit();
    trainer.drop(3, 'before');
    expect(await code(follow(trainingRunId))).toBe('trainer_unreachable');
    expect((await storedRun()).status).toBe('submitted');
    expect((await follow(trainingRunId)).steps).toBe(20);
  });

  test.each([
    ['fail', 'training_failed', 'failed'],
    ['cancelled', 'training_cancelled', 'cancelled'],
  ] as const)('a job that ends as %s is %s', async (outcome, expected, status) => {
    trainer.behaviour.outcome = outcome;
    const { trainingRunId } = await submit();
    expect(await code(follow(trainingRunId))).toBe(expected);
    expect((await storedRun()).status).toBe(status);
    expect(await code(follow(trainingRunId))).toBe(expected);
  });

  test('a job past its deadline is cancelled', async () => {
    trainer.behaviour.outcome = 'hang';
    const { trainingRunId } = await submit();
    expect(await code(follow(trainingRunId, { deadline: new Date(Date.now() + 50) }))).toBe('training_too_long');
    expect(trainer.liveJobs()).toEqual([]);
    expect((await storedRun()).status).toBe('cancelled');
  });

  test('stops at once when told to, and leaves the job alone', async () => {
    trainer.behaviour.outcome = 'hang';
    const { trainingRunId } = await submit();
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 50);
    await expect(follow(trainingRunId, { signal: stop.signal })).rejects.toThrow();
    expect(trainer.liveJobs()).toHaveLength(1);
  });

  test.each([
    ['nonsense', 'trainer_nonsense'],
    ['html', 'trainer_nonsense'],
    ['error', 'trainer_unreachable'],
  ] as const)('a trainer that answers %s is %s, and the job can still be followed later', async (answers, expected) => {
    const { trainingRunId } = await submit();
    trainer.behaviour.answers = answers;
    expect(await code(follow(trainingRunId))).toBe(expected);
    trainer.behaviour.answers = 'right';
    expect((await follow(trainingRunId)).steps).toBe(20);
  });

  test('a job that the trainer has forgotten has failed', async () => {
    const { trainingRunId } = await submit();
    trainer.jobs.length = 0;
    expect(await code(follow(trainingRunId))).toBe('training_failed');
  });

  test.each([
    ['wrong_digest', 'adapter_digest_mismatch'],
    ['changed_file', 'adapter_digest_mismatch'],
    ['pickle', 'adapter_refused'],
    ['extra_file', 'adapter_refused'],
    ['other_base', 'adapter_base_mismatch'],
    ['other_rank', 'adapter_refused'],
    ['outside', 'artifact_refused'],
    ['missing', 'artifact_missing'],
    ['none', 'trainer_nonsense'],
  ] as const)('an adapter that is wrong (%s) is %s and never recorded', async (adapter, expected) => {
    trainer.behaviour.adapter = adapter;
    const { trainingRunId } = await submit();
    expect(await code(follow(trainingRunId))).toBe(expected);
    expect(await storedRun()).toMatchObject({ adapter: null });
    expect((await storedRun()).status).not.toBe('succeeded');
  });
});

describe('cancelling', () => {
  test('ends a running job and waits until it has ended', async () => {
    Object.assign(trainer.behaviour, { outcome: 'hang', cancelMs: 200 });
    const { trainingRunId } = await submit();
    await cancel();
    expect(trainer.liveJobs()).toEqual([]);
    expect((await storedRun()).status).toBe('cancelled');
    expect(await code(follow(trainingRunId))).toBe('training_cancelled');
  });

  test('finds the job by its key when it was never recorded', async () => {
    trainer.behaviour.outcome = 'hang';
    trainer.drop(1, 'after', /POST .*jobs$/);
    expect(await code(submit())).toBe('trainer_unreachable');
    expect(trainer.liveJobs()).toHaveLength(1);
    await cancel();
    expect(trainer.liveJobs()).toEqual([]);
  });

  test('succeeds when there is nothing to cancel: no run, no job, a job that has ended, twice', async () => {
    await cancel();
    trainer.drop(3, 'before', /files$/);
    expect(await code(submit())).toBe('trainer_unreachable');
    await cancel();
    expect((await storedRun()).status).toBe('cancelled');
    await cancel();
  });

  test('leaves a training that succeeded as it is', async () => {
    const { trainingRunId } = await submit();
    await follow(trainingRunId);
    await cancel();
    expect((await storedRun()).status).toBe('succeeded');
  });

  test('a late attempt to submit makes no job after it', async () => {
    trainer.drop(3, 'before', /files$/);
    expect(await code(submit())).toBe('trainer_unreachable');
    await cancel();
    expect(await code(submit())).toBe('training_cancelled');
    expect(trainer.jobs).toHaveLength(0);
  });

  test('waits for a submit under way, so that its job does not stay behind', async () => {
    trainer.behaviour.outcome = 'hang';
    const submitting = submit();
    // The intent row is there before the trainer is asked, so the cancel has something to wait for.
    while ((await stage.db.prisma.trainingRun.count({ where: { key: input.key } })) === 0)
      await new Promise((resolve) => setTimeout(resolve, 1));
    await Promise.all([submitting.catch(() => undefined), cancel()]);
    expect(trainer.liveJobs()).toEqual([]);
  });

  test('says that the trainer is away, and can be repeated', async () => {
    trainer.behaviour.outcome = 'hang';
    await submit();
    trainer.drop(3, 'before');
    expect(await code(cancel())).toBe('trainer_unreachable');
    expect(trainer.liveJobs()).toHaveLength(1);
    await cancel();
    expect(trainer.liveJobs()).toEqual([]);
  });
});
