import { inspect } from 'node:util';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { asFailure } from '../../src/activities/as-failure.js';
import { type Activities, createActivities } from '../../src/activities/index.js';
import { createDb } from '../../src/db/index.js';
import { UnderstudyError } from '../../src/errors.js';
import { readRoute } from '../../src/routing/index.js';
import { createTrainingProviders } from '../../src/training/index.js';
import { type FakeTrainer, startFakeTrainer } from '../support/fake-trainer.js';
import { type FakeVllm, startFakeVllm } from '../support/fake-vllm.js';
import {
  correction,
  noSecrets,
  openStage,
  type Stage,
  seedInteraction,
  seedModel,
  thumbsUp,
} from '../support/stage-fixtures.js';

/** Stands in every question, answer and correction: nothing that leaves an activity may have it. */
const CANARY = 'canary-7c1f';
const asOf = '2026-11-10T12:00:00.000Z';

let stage: Stage;
let trainer: FakeTrainer;
let server: FakeVllm;
let activities: Activities;
let model: string;
let models = 0;
/** Everything that went to Temporal: results, failures, heartbeats. */
let sent: string[] = [];
/** Everything that went to the worker's log. */
let logged: string[] = [];

beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());
beforeEach(async () => {
  sent = [];
  logged = [];
  trainer = await startFakeTrainer({ artifactsRoot: stage.root, runningMs: 200 });
  server = await startFakeVllm({
    answer: ({ version }) => (version === undefined ? `${CANARY} wrong` : `${CANARY} right`),
  });
  models += 1;
  model = `activities-${models}`;
  await seedModel(stage.db, model, {
    upstream: { base_url: `${server.url}/v1`, model: 'base' },
    serving: { base_urls: [server.url], drain: '0s' },
    trainer: { base_url: trainer.url, epochs: 1 },
  });
  for (let i = 0; i < 20; i++) {
    await seedInteraction(stage.db, {
      model,
      askedAt: new Date(Date.parse(asOf) - 60_000 + i),
      question: `${CANARY} question ${i}`,
      answer: `${CANARY} answer`,
      subject: `s${i}`,
      feedback: i % 2 === 0 ? [thumbsUp] : [correction(`${CANARY} correction ${i}`)],
    });
  }
  activities = createActivities({
    db: stage.db,
    store: stage.store,
    secrets: noSecrets,
    providers: createTrainingProviders(noSecrets),
  });
});
afterEach(async () => {
  await trainer.close();
  await server.close();
});

function environment(): MockActivityEnvironment {
  const logger = new DefaultLogger('DEBUG', (entry) => void logged.push(inspect(entry, { depth: 8 })));
  const env = new MockActivityEnvironment(undefined, { logger });
  env.on('heartbeat', (details: unknown) => void sent.push(JSON.stringify(details) ?? ''));
  return env;
}

/** Calls an activity as a worker would: what it answers or throws is what Temporal gets. */
async function call<Name extends keyof Activities>(
  name: Name,
  input: Parameters<Activities[Name]>[0],
  env = environment(),
): Promise<Awaited<ReturnType<Activities[Name]>>> {
  try {
    const answer = await env.run(activities[name] as (given: unknown) => Promise<unknown>, input);
    sent.push(JSON.stringify(answer) ?? '');
    return answer as Awaited<ReturnType<Activities[Name]>>;
  } catch (error) {
    sent.push(
      `${(error as Error).message} ${JSON.stringify((error as ApplicationFailure).details)} ${(error as Error).stack}`,
    );
    throw error;
  }
}

async function openCycle() {
  const opened = await call('openCycle', {
    model,
    workflowId: `retraining-cycle-${model}`,
    runId: `run-${model}`,
    originalRunId: `run-${model}`,
    trigger: 'test',
    overrides: {},
    asOf,
  });
  if (!opened.opened) throw new Error('not opened');
  return opened;
}

async function submit() {
  const { cycleId } = await openCycle();
  const { datasetId } = await call('collect', { cycleId, asOf });
  await call('curate', { cycleId, datasetId, asOf });
  const run = await call('submitTraining', { cycleId, datasetId, key: `${model}/run`, asOf });
  return { cycleId, ...run };
}

const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();

describe('the activities', () => {
  it('carry a cycle from its lease to its end, and no text of a conversation leaves them', async () => {
    const { cycleId, trainingRunId } = await submit();
    await call('recordPhase', { cycleId, runId: `run-${model}`, phase: 'training' });
    const adapter = await call('followTraining', { trainingRunId, deadline: inAnHour() });
    expect(adapter).toMatchObject({ trainingRunId, steps: 20, lastLoss: 0.4 });
    const { version } = await call('registerVersion', { cycleId, trainingRunId });
    await call('loadVersion', { model, version });
    expect(server.actions).toEqual([`load ${model}-v2`]);
    expect(await call('evaluate', { cycleId, champion: 1, candidate: version, asOf })).toMatchObject({
      passed: true,
      noGate: true,
    });

    const started = await call('startExperiment', { cycleId, candidate: version, expectedEpoch: 1, asOf });
    if (started.routeChanged) throw new Error('the route was changed');
    const { experimentId, minEndsAt } = started;
    expect(await call('takeLook', { experimentId, k: 1, asOf: minEndsAt, isLast: false })).toMatchObject({
      decision: 'wait',
      reason: 'floors',
    });
    const promoted = await call('promote', {
      experimentId,
      expectedEpoch: 2,
      actor: 'alice',
      reason: 'a hunch',
      forced: true,
      asOf,
    });
    if (promoted.routeChanged || 'frozenUntil' in promoted) throw new Error('not promoted');
    expect(await call('checkBake', { experimentId: promoted.bakeExperimentId, asOf })).toMatchObject({
      rollback: false,
    });
    expect(await call('undoRoute', { cycleId, actor: 'cycle', reason: 'test', asOf })).toEqual({ undone: true });
    expect(await call('unloadVersion', { model, version })).toEqual({ unloaded: true });
    await call('retireVersion', { model, version, state: 'archived', asOf });
    await call('closeCycle', { cycleId, outcome: 'rolled_back', reason: 'operator', asOf });
    expect(await readRoute(stage.db, model)).toMatchObject({ champion: 1, challenger: null });

    expect(sent.length).toBeGreaterThan(15);
    expect(sent.join('\n')).not.toContain(CANARY);
    expect(logged.join('\n')).not.toContain(CANARY);
    for (const payload of sent) expect(payload.length).toBeLessThan(4_000);
  });

  it('answer the same when they run twice', async () => {
    const { cycleId, trainingRunId, jobId } = await submit();
    const again = await submit();
    expect(again).toEqual({ cycleId, trainingRunId, jobId });
    expect(trainer.jobs).toHaveLength(1);
    const deadline = inAnHour();
    const first = await call('followTraining', { trainingRunId, deadline });
    expect(await call('followTraining', { trainingRunId, deadline })).toEqual(first);
    const version = await call('registerVersion', { cycleId, trainingRunId });
    expect(await call('registerVersion', { cycleId, trainingRunId })).toEqual(version);
  });

  it('reload a version for a rollback, and move the route once for one request', async () => {
    const { cycleId, trainingRunId } = await submit();
    await call('followTraining', { trainingRunId, deadline: inAnHour() });
    await call('registerVersion', { cycleId, trainingRunId });
    const plan = await call('planRollback', { model, toVersion: 2 });
    expect(plan).toEqual({ model, toVersion: 2, fromVersion: 1, epoch: 1 });
    const input = { model, toVersion: 2, actor: 'alice', reason: 'forward', requestId: 'r-1', asOf };
    const moved = await call('rollbackRoute', input);
    expect(moved).toEqual({ epoch: 2, fromVersion: 1, toVersion: 2, cycleWorkflowId: null, candidate: null });
    expect(server.adapters.has(`${model}-v2`)).toBe(true);
    expect(await call('rollbackRoute', input)).toEqual(moved);
  });
});

describe('followTraining', () => {
  it('heartbeats with step, total, loss and status, and records them for those who watch the database', async () => {
    trainer.behaviour.runningMs = 3_000;
    const { trainingRunId } = await submit();
    const running = call('followTraining', { trainingRunId, deadline: inAnHour() });
    const heartbeats = () => sent.filter((line) => line.includes('totalSteps')).map((line) => JSON.parse(line));
    const run = () => stage.db.prisma.trainingRun.findUniqueOrThrow({ where: { id: trainingRunId } });
    await expect
      .poll(async () => (await run()).metrics, { timeout: 10_000 })
      .toEqual({ step: expect.any(Number), totalSteps: 20, loss: expect.any(Number) });
    await running;
    expect(heartbeats().at(-1)).toEqual({ status: 'succeeded', step: 20, totalSteps: 20, loss: expect.any(Number) });
    // The end has the last word.
    expect((await run()).metrics).toMatchObject({ steps: 20, last_loss: 0.4 });
  });

  it('stops following when it is cancelled, ends as cancelled, and leaves the job to its own undo step', async () => {
    trainer.behaviour.outcome = 'hang';
    const { trainingRunId } = await submit();
    const env = environment();
    const running = call('followTraining', { trainingRunId, deadline: inAnHour() }, env).catch(
      (error: unknown) => error,
    );
    await expect.poll(() => sent.some((line) => line.includes('status'))).toBe(true);
    env.cancel();
    expect(await running).toBeInstanceOf(CancelledFailure);
    expect(trainer.liveJobs()).toHaveLength(1);
    await call('cancelTraining', { key: `${model}/run` });
    expect(trainer.liveJobs()).toHaveLength(0);
    await call('cancelTraining', { key: 'never-submitted' });
  });
});

describe('failures of activities', () => {
  it.each([
    ['unknown_model', true, () => call('planRollback', { model: 'nobody' })],
    ['nothing_to_roll_back', true, () => call('planRollback', { model })],
    [
      'lease_lost',
      true,
      () => call('recordPhase', { cycleId: '00000000-0000-0000-0000-000000000000', runId: 'x', phase: 'x' }),
    ],
    [
      'not_found',
      true,
      () => call('takeLook', { experimentId: '00000000-0000-0000-0000-000000000000', k: 1, asOf, isLast: false }),
    ],
  ] as const)('have the code %s of the table as their type', async (code, nonRetryable, run) => {
    const error = await run().then(
      () => undefined,
      (failure: unknown) => failure,
    );
    expect(error).toBeInstanceOf(ApplicationFailure);
    expect(error).toMatchObject({ type: code, nonRetryable });
  });

  it('may be retried when the trainer is away', async () => {
    expect(
      asFailure(new UnderstudyError('trainer_unreachable', { url: 'http://x', detail: 'ECONNREFUSED' })),
    ).toMatchObject({ type: 'trainer_unreachable', nonRetryable: false });
  });

  it('may be retried when Postgres is away, and say so', async () => {
    const nowhere = createDb('postgres://nobody:nothing@127.0.0.1:1/none');
    activities = createActivities({
      db: nowhere,
      store: stage.store,
      secrets: noSecrets,
      providers: createTrainingProviders(noSecrets),
    });
    for (const run of [
      () =>
        call('closeCycle', { cycleId: '00000000-0000-0000-0000-000000000000', outcome: 'failed', reason: '', asOf }),
      () => call('orphanDataset', { datasetId: '00000000-0000-0000-0000-000000000000' }),
    ]) {
      const error = await run().then(
        () => undefined,
        (failure: unknown) => failure,
      );
      expect(error).toMatchObject({ type: 'database_unreachable', nonRetryable: false });
    }
    await nowhere.close();
  });

  it('lose the message of an error nobody expected, because it may quote what people wrote', async () => {
    const cause = Object.assign(new Error(`Key (response)=(${CANARY}) already exists`), { code: '23505' });
    const failure = asFailure(new TypeError(`cannot read ${CANARY}`, { cause })) as ApplicationFailure;
    expect(failure).toMatchObject({ type: 'internal', nonRetryable: false });
    expect(JSON.stringify([failure.message, failure.details, failure.cause, failure.stack])).not.toContain(CANARY);
    expect(failure.message).toContain('23505');
    expect(asFailure('just words')).toMatchObject({ type: 'internal' });
  });

  it('leave the frames of such an error in the log, and not its message', async () => {
    const store = {
      ...stage.store,
      verify() {
        throw new TypeError(`cannot read ${CANARY}`);
      },
    };
    const { cycleId } = await openCycle();
    const { datasetId } = await call('collect', { cycleId, asOf });
    await call('curate', { cycleId, datasetId, asOf });
    activities = createActivities({
      db: stage.db,
      store,
      secrets: noSecrets,
      providers: createTrainingProviders(noSecrets),
    });
    await expect(call('submitTraining', { cycleId, datasetId, key: `${model}/run`, asOf })).rejects.toMatchObject({
      type: 'internal',
    });
    expect(logged.join('\n')).toContain('submit-training');
    expect([...logged, ...sent].join('\n')).not.toContain(CANARY);
  });

  it('pass a failure of Temporal through unchanged', () => {
    const failure = ApplicationFailure.nonRetryable('known', 'training_failed');
    expect(asFailure(failure)).toBe(failure);
    expect(asFailure(new CancelledFailure('no'))).toBeInstanceOf(CancelledFailure);
  });
});
