import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createActivities } from '../../src/activities/index.js';
import { startWatchLoop } from '../../src/monitoring/index.js';
import { applyModel } from '../../src/registry/index.js';
import { readRoute } from '../../src/routing/index.js';
import { tellCycle } from '../../src/temporal/cycles-client.js';
import { TASK_QUEUE } from '../../src/temporal/task-queues.js';
import { ROLLBACK, rollbackWorkflowId } from '../../src/temporal/workflow-names.js';
import { createTrainingProviders } from '../../src/training/index.js';
import { fillArm, routeChanges } from '../support/experiment-data.js';
import { type FakeTrainer, startFakeTrainer } from '../support/fake-trainer.js';
import { type FakeVllm, startFakeVllm } from '../support/fake-vllm.js';
import {
  correction,
  noSecrets,
  openStage,
  policyDocument,
  type Stage,
  seedInteraction,
  thumbsUp,
} from '../support/stage-fixtures.js';
import { startTestWorker, startTimeSkippingServer, type TestWorker } from '../support/temporal.js';
import { CANARY, cycleRunner, type EndedCycle, type RunningCycle } from './time-skipping.js';
import { HOUR } from './world.js';

/** The whole cycle on real stages and a real database; only trainer and adapter server are stand-ins that speak HTTP. */
let env: TestWorkflowEnvironment;
let worker: TestWorker;
let stage: Stage;
let trainer: FakeTrainer;
let server: FakeVllm;
let model: string;
let models = 0;

beforeAll(async () => {
  [env, stage] = await Promise.all([startTimeSkippingServer(), openStage()]);
  const providers = createTrainingProviders(noSecrets);
  worker = await startTestWorker(
    env,
    createActivities({ db: stage.db, store: stage.store, secrets: noSecrets, providers }),
  );
});
afterAll(async () => {
  await worker?.stop();
  await env?.teardown();
  await stage?.close();
});

beforeEach(async () => {
  trainer = await startFakeTrainer({ artifactsRoot: stage.root });
  server = await startFakeVllm({ answer: ({ version }) => `${CANARY} ${version === undefined ? 'wrong' : 'right'}` });
  models += 1;
  model = `desk-${models}`;
  // No sandbox: the floor of 48 h is the real one.
  const document = policyDocument(model, {
    sandbox: false,
    upstream: { base_url: `${server.url}/v1`, model: 'base' },
    serving: { base_urls: [server.url], drain: '1s' },
    trainer: { base_url: trainer.url, epochs: 1 },
    triggers: { min_new_examples: 10 },
    experiment: { share: 0.5 },
  });
  await applyModel(stage.db, document, { actor: 'test' });
  const now = await env.currentTimeMs();
  for (let i = 0; i < 30; i++) {
    await seedInteraction(stage.db, {
      model,
      askedAt: new Date(now - HOUR + i * 1_000),
      question: `${CANARY} question ${i}`,
      answer: `${CANARY} answer`,
      subject: `person-${i}`,
      feedback: [i % 2 === 0 ? thumbsUp : correction(`${CANARY} correction ${i}`)],
    });
  }
});
afterEach(async () => {
  await trainer.close();
  await server.close();
});

function runCycle(during: (cycle: RunningCycle) => Promise<void>, golden?: string): Promise<EndedCycle> {
  return cycleRunner(env)(model, { during, ...(golden !== undefined && { golden }) });
}

/** An hour into the experiment 150 people have asked on each side; `better` is how many of 1,500 answers more are right. */
async function liveTraffic(experiment: { id: string; startedAt: string }, better: number): Promise<void> {
  const from = new Date(Date.parse(experiment.startedAt) + HOUR);
  const common = { model, experimentId: experiment.id, subjects: 150, each: 10, from };
  await fillArm(stage.db, { ...common, arm: 'champion', version: 1, positives: 750 });
  await fillArm(stage.db, { ...common, arm: 'challenger', version: 2, positives: 750 + better });
}

async function actions(): Promise<string[]> {
  return (await routeChanges(stage.db, model)).map(({ action, actor }) => `${action} by ${actor}`);
}

async function cycleRow() {
  return stage.db.prisma.cycle.findFirstOrThrow({ where: { model } });
}

function expectNothingLeft(): void {
  expect(trainer.liveJobs()).toEqual([]);
  expect([...server.adapters.keys()]).toEqual([]);
}

describe('a cycle on real stages', () => {
  it('promotes a version that is better after 48 hours, with one job and no text of a conversation in its history', async () => {
    const cycle = await runCycle(async ({ experimenting, pass, status }) => {
      const { experiment } = await experimenting();
      await liveTraffic(experiment!, 225);
      await pass(48 * HOUR - 60_000);
      expect((await status()).looks).toEqual([]);
      expect((await readRoute(stage.db, model)).champion).toBe(1);
    }, 'real-promoted');
    expect(cycle.outcome).toMatchObject({ outcome: 'promoted', reason: 'significant', candidate: 2, champion: 2 });
    expect(cycle.status.dataset).toMatchObject({ considered: 30 });
    const [look] = cycle.status.looks;
    expect(look).toMatchObject({
      decision: 'promote',
      champion: { n: 1_500, x: 750 },
      challenger: { n: 1_500, x: 975 },
    });
    expect(look!.z!).toBeGreaterThan(look!.boundary!);
    expect(await actions()).toEqual([
      'create by test',
      'start_experiment by cycle',
      'promote by cycle',
      'end_bake by cycle',
    ]);
    expect(await readRoute(stage.db, model)).toMatchObject({ champion: 2, previous: 1, challenger: null });
    expect(await cycleRow()).toMatchObject({
      outcome: 'promoted',
      reason: 'significant',
      candidate: 2,
      phase: 'baking',
    });
    expect(trainer.jobs).toHaveLength(1);
    expect([...server.adapters.keys()]).toEqual([`${model}-v2`]);
    // The canary was really in what the cycle worked on.
    expect([...trainer.files.values()].map(({ text }) => text).join()).toContain(CANARY);
  });

  it('is stopped by the watch loop when the challenger does harm, and rejects the version', async () => {
    const cycle = await runCycle(async ({ experimenting, pass }) => {
      const { experiment } = await experimenting();
      await liveTraffic(experiment!, -300);
      await pass(2 * HOUR);
      const now = new Date(await env.currentTimeMs());
      const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
      const tell = tellCycle(env.client);
      const watch = startWatchLoop({
        db: stage.db,
        intervalMs: HOUR,
        tellCycle: tell,
        clock: () => now,
        logger: quiet,
      });
      try {
        expect(await watch.pass()).toMatchObject({ leader: true, told: [experiment!.id] });
      } finally {
        await watch.stop();
      }
    }, 'real-rejected-harm');
    expect(cycle.outcome).toMatchObject({ outcome: 'rejected', reason: 'harm', champion: 1 });
    expect(await actions()).toEqual(['create by test', 'start_experiment by cycle', 'harm_stop by watch']);
    expect(await stage.db.prisma.version.findFirst({ where: { model, version: 2 } })).toMatchObject({
      state: 'rejected',
    });
    expectNothingLeft();
  });

  it('is rolled back in its bake by the rollback workflow: the champion from before answers again', async () => {
    const cycle = await runCycle(async ({ experimenting, baking }) => {
      const { experiment } = await experimenting();
      await liveTraffic(experiment!, 225);
      await baking();
      await env.client.workflow.start(ROLLBACK, {
        taskQueue: TASK_QUEUE,
        workflowId: rollbackWorkflowId(model),
        args: [{ model, actor: 'ada', reason: 'complaints' }],
      });
    }, 'real-rolled-back');
    expect(cycle.outcome).toMatchObject({ outcome: 'rolled_back', reason: 'operator', champion: 1 });
    expect(await actions()).toEqual([
      'create by test',
      'start_experiment by cycle',
      'promote by cycle',
      'rollback by ada',
    ]);
    expect(await readRoute(stage.db, model)).toMatchObject({ champion: 1, previous: null, challenger: null });
    expectNothingLeft();
  });

  it('leaves nothing behind when it is cancelled in the experiment', async () => {
    const cycle = await runCycle(async ({ experimenting, pass, cancel }) => {
      await experimenting();
      await pass(10 * HOUR);
      await cancel();
    }, 'real-canceled');
    expect(cycle.canceled).toBe(true);
    expect(await readRoute(stage.db, model)).toMatchObject({ champion: 1, challenger: null, experimentId: null });
    expect(await cycleRow()).toMatchObject({ outcome: 'canceled' });
    expect(await stage.db.prisma.experiment.count({ where: { model, endedAt: null } })).toBe(0);
    expectNothingLeft();
  });

  it('cancels the job at the trainer when it is cancelled while training, and orphans the dataset', async () => {
    trainer.behaviour.outcome = 'hang';
    const cycle = await runCycle(async ({ until, cancel }) => {
      await until(({ training }) => training !== null);
      await cancel();
    }, 'real-canceled-training');
    expect(cycle.canceled).toBe(true);
    expect(trainer.jobs.map((job) => trainer.statusOf(job))).toEqual(['cancelled']);
    expect(await stage.db.prisma.dataset.findFirst({ where: { model } })).toMatchObject({ state: 'orphaned' });
  });

  it('fails when its adapter is not the one that was trained, and undoes what it did', async () => {
    trainer.behaviour.adapter = 'changed_file';
    const cycle = await runCycle(async () => undefined);
    expect(cycle.failure?.type).toBe('adapter_digest_mismatch');
    expect(await cycleRow()).toMatchObject({ outcome: 'failed' });
    expect(await actions()).toEqual(['create by test']);
    expectNothingLeft();
  });

  it('is refused under a policy below the floor, however it got there', async () => {
    const policy = policyDocument(model, {
      sandbox: false,
      experiment: { min_duration: '10m', feedback_window: '1m' },
    });
    await stage.db.prisma.model.update({ where: { name: model }, data: { policy: policy as object } });
    const cycle = await runCycle(async () => undefined);
    expect(cycle.failure?.type).toBe('policy_below_floor');
    expect(trainer.jobs).toEqual([]);
  });

  it('is skipped with its numbers when there is too little to learn from', async () => {
    await stage.db.pool.query('DELETE FROM interactions WHERE model = $1', [model]);
    const cycle = await runCycle(async () => undefined, 'real-skipped');
    expect(cycle.outcome).toMatchObject({ outcome: 'skipped', reason: 'not_enough_examples', champion: 1 });
    expect(cycle.outcome!.evidence).toMatchObject({ considered: 0, needed: 10 });
  });
});
