import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  askCycle,
  cancelCycle,
  cycleStatus,
  signalCycle,
  startCycle,
  startRollback,
  tellCycle,
} from '../../src/temporal/cycles-client.js';
import { ensureSearchAttributes, missingSearchAttributes } from '../../src/temporal/search-attributes.js';
import { TASK_QUEUE } from '../../src/temporal/task-queues.js';
import { cycleWorkflowId, RETRAINING_CYCLE } from '../../src/temporal/workflow-names.js';
import type { CycleOutcome, CycleStatus } from '../../src/temporal/workflow-types.js';
import { startDevServer, startTestWorker, type TestWorker, weigh } from '../support/temporal.js';
import { keepHistory } from './time-skipping.js';
import { PLAN, World } from './world.js';

/** What the time-skipping server cannot do: a whole Temporal, with a real clock and a sandbox's short plan. */
let env: TestWorkflowEnvironment;
let worker: TestWorker | undefined;
let world: World;
let worlds = 0;

beforeAll(async () => {
  env = await startDevServer();
});
afterAll(async () => {
  await worker?.stop();
  await env?.teardown();
});

/** A world of its own, and a worker that sees it. */
async function enter(plan: Partial<World['plan']> = {}): Promise<World> {
  await worker?.stop();
  worlds += 1;
  world = new World(`desk-${worlds}`);
  const quick = { minDurationMs: 600, maxDurationMs: 3_000, lookEveryMs: 600, bakeMs: 300, drainMs: 1 };
  world.plan = { ...PLAN, sandbox: true, ...quick, ...plan };
  worker = await startTestWorker(env, world.activities());
  return world;
}

const about = { candidate: 2, actor: 'ada', reason: 'why not' };
const resultOf = (runId?: string) =>
  env.client.workflow.getHandle(cycleWorkflowId(world.model), runId).result() as Promise<CycleOutcome>;

async function eventually(what: (status: CycleStatus) => boolean): Promise<CycleStatus> {
  for (let i = 0; i < 400; i += 1) {
    const status = await cycleStatus(env.client, world.model);
    if (status !== null && what(status)) return status;
    await sleep(25);
  }
  throw new Error('did not come about');
}

describe('the search attributes', () => {
  it('are registered when they are missing, and registering them twice changes nothing', async () => {
    expect(await missingSearchAttributes(env.connection, 'default')).toEqual([]);
    await ensureSearchAttributes(env.connection, 'default');
  });

  it('that cannot be registered are an error with the command that does it', async () => {
    const refused = {
      operatorService: {
        listSearchAttributes: async () => ({ customAttributes: {} }),
        addSearchAttributes: async () => {
          throw new Error('7 PERMISSION_DENIED');
        },
      },
    } as unknown as Connection;
    const error = await ensureSearchAttributes(refused, 'desk.a1b2c').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'search_attributes_missing' });
    expect((error as Error).message).toContain(
      'temporal operator search-attribute create --namespace desk.a1b2c --name UnderstudyModel --type Keyword --name UnderstudyPhase',
    );
    expect((error as Error).message).toContain('--name UnderstudyExperimentEndsAt --type Datetime');
    expect((error as Error).message).toContain('--name UnderstudyNeedsOperator --type Bool');
  });
});

describe('on a real Temporal server', () => {
  it('a cycle with three looks has at most 150 events, is found by its attributes, and shows its details', async () => {
    await enter();
    world.look = (k) => ({ decision: k === 3 ? 'promote' : 'wait' });
    const { runId } = await startCycle(env.client, { model: world.model, trigger: 'cli' });
    expect(await resultOf(runId)).toMatchObject({ outcome: 'promoted', reason: 'significant' });
    const handle = env.client.workflow.getHandle(cycleWorkflowId(world.model), runId);
    const history = await handle.fetchHistory();
    keepHistory('server-promoted', history);
    const weight = weigh(history);
    console.log(`real server, three looks: ${weight.events} events, ${weight.bytes} bytes`);
    expect(weight.events).toBeLessThanOrEqual(150);
    expect(weight.bytes).toBeLessThanOrEqual(128 * 1_024);
    const { raw } = await handle.describe();
    expect(Number(raw.workflowExecutionInfo!.historySizeBytes)).toBeLessThanOrEqual(128 * 1_024);
    const query = `UnderstudyModel = '${world.model}' AND UnderstudyOutcome = 'promoted' AND UnderstudyTrigger = 'cli' AND UnderstudyCandidate = '2'`;
    await expect.poll(async () => (await env.client.workflow.count(query)).count, { timeout: 10_000 }).toBe(1);
    const metadata = await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata');
    expect(metadata.currentDetails).toContain(`${world.model}: promoted (significant)`);
    expect(metadata.currentDetails).toContain('sandbox: the 48 h floor is lifted');
  });

  it('a second start is refused under the same id, and skipped under any other, also that of a schedule', async () => {
    await enter({ minDurationMs: 60_000, maxDurationMs: 120_000, lookEveryMs: 60_000 });
    const { client } = env;
    const first = await startCycle(client, { model: world.model });
    await eventually(({ experiment }) => experiment !== null);
    await expect(startCycle(client, { model: world.model })).rejects.toMatchObject({ code: 'already_running' });

    const schedule = await client.schedule.create({
      scheduleId: `weekly-${world.model}`,
      spec: { calendars: [{ dayOfWeek: 'SUNDAY', hour: 3 }] },
      action: {
        type: 'startWorkflow',
        workflowType: RETRAINING_CYCLE,
        workflowId: `retraining-cycle-${world.model}`,
        taskQueue: TASK_QUEUE,
        args: [{ model: world.model }],
      },
    });
    await schedule.trigger();
    const actions = async () => (await schedule.describe()).info.recentActions;
    await expect.poll(async () => (await actions()).length, { timeout: 10_000 }).toBe(1);
    const { workflow } = (await actions())[0]!.action;
    // The server appends the time to the id: hence the launcher.
    expect(workflow.workflowId).toMatch(new RegExp(`^retraining-cycle-${world.model}-20`));
    const second = client.workflow.getHandle(workflow.workflowId);
    expect(await second.result()).toEqual({
      started: false,
      skipped: 'already_running',
      workflowId: first.workflowId,
    });

    keepHistory('server-launcher-skipped', await second.fetchHistory());

    expect(await cancelCycle(client, world.model)).toBe(true);
    await expect(resultOf(first.runId)).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
    world.examples = { tooFew: true };
    await schedule.trigger();
    await expect.poll(() => world.rows.length, { timeout: 10_000 }).toBe(2);
    expect(await resultOf()).toMatchObject({ outcome: 'skipped', reason: 'not_enough_examples' });
    expect(world.called('openCycle')[1]).toMatchObject({ trigger: 'schedule' });
    await schedule.delete();
    expect(world.leftBehind).toEqual([]);
  });

  it('a worker that is stopped in the middle of training hands over: the cycle goes on, with one job', async () => {
    await enter();
    let stopping = false;
    world.before.set('followTraining', async () => {
      if (stopping) return;
      stopping = true;
      // Longer than the grace time: it is cut off.
      await sleep(4_000);
      throw Object.assign(new Error('connection lost'), { code: 'ECONNRESET' });
    });
    await startCycle(env.client, { model: world.model });
    await expect.poll(() => stopping, { timeout: 10_000 }).toBe(true);
    await worker!.stop();
    worker = await startTestWorker(env, world.activities());
    expect(await resultOf()).toMatchObject({ outcome: 'promoted' });
    expect(world.jobs.size).toBe(1);
    expect(world.called('submitTraining')).toHaveLength(1);
  });

  it('a reset goes on as the same cycle: same lease, same job', async () => {
    await enter({ minDurationMs: 60_000, maxDurationMs: 120_000, lookEveryMs: 60_000 });
    const { runId } = await startCycle(env.client, { model: world.model });
    await eventually(({ experiment }) => experiment !== null);
    world.route = { ...world.route, challenger: null, experimentId: null, epoch: 4 };
    const { events } = await env.client.workflow.getHandle(cycleWorkflowId(world.model), runId).fetchHistory();
    const loading = events!.findIndex(
      (e) => e.activityTaskScheduledEventAttributes?.activityType?.name === 'loadVersion',
    );
    const before = events!.slice(0, loading).findLast((e) => e.workflowTaskCompletedEventAttributes);
    await env.client.workflowService.resetWorkflowExecution({
      namespace: 'default',
      workflowExecution: { workflowId: cycleWorkflowId(world.model), runId },
      reason: 'the replica was repaired',
      workflowTaskFinishEventId: before!.eventId!,
      requestId: 'reset-1',
    });
    await expect.poll(() => world.called('startExperiment').length, { timeout: 10_000 }).toBe(2);
    await eventually(({ experiment }) => experiment !== null);
    expect(await signalCycle(env.client, world.model, 'promote', { ...about, force: true })).toBe(true);
    expect(await resultOf()).toMatchObject({ outcome: 'promoted', reason: 'forced' });
    keepHistory('server-reset', await env.client.workflow.getHandle(cycleWorkflowId(world.model)).fetchHistory());
    expect(world.rows).toMatchObject([{ outcome: 'promoted', runId }]);
    expect(world.jobs.size).toBe(1);
    expect(world.called('loadVersion')).toHaveLength(2);
  });

  it('a rollback in the bake tells the cycle', async () => {
    await enter({ bakeMs: 60_000 });
    await startCycle(env.client, { model: world.model });
    await eventually(({ phase, bake }) => phase === 'baking' && bake !== null);
    const { workflowId } = await startRollback(env.client, { model: world.model, actor: 'ada', reason: 'complaints' });
    const outcome = await env.client.workflow.getHandle(workflowId).result();
    expect(outcome).toMatchObject({
      fromVersion: 2,
      toVersion: 1,
      cycle: cycleWorkflowId(world.model),
      cycleTold: true,
    });
    expect(await resultOf()).toMatchObject({ outcome: 'rolled_back', reason: 'operator', champion: 1 });
    expect(world.leftBehind).toEqual([]);
  });
});

describe('a client', () => {
  it('that asks a cycle hears what will happen, or why not; the same request once; later, when no worker answers', async () => {
    await enter({ minDurationMs: 60_000, maxDurationMs: 120_000, lookEveryMs: 60_000 });
    const ask = (name: 'promote' | 'extend', message: object, updateId: string, timeoutMs = 5_000) =>
      askCycle(env.client, world.model, name, { ...about, ...message } as never, { updateId, timeoutMs });
    expect(await ask('promote', {}, 'a')).toBe(null);
    await startCycle(env.client, { model: world.model });
    await eventually(({ experiment }) => experiment !== null);
    await expect(ask('promote', {}, 'a')).rejects.toMatchObject({
      code: 'message_refused',
      details: { detail: expect.stringMatching(/^before the floor .* for ever$/) },
    });
    const extended = await ask('extend', { by: '60s' }, 'b');
    expect(extended).toMatchObject({ status: 'taken', note: expect.stringContaining('The last look comes at') });
    expect(await ask('extend', { by: '60s' }, 'b')).toEqual(extended);
    await eventually(({ experiment }) => experiment?.extensions === 1);
    expect(world.called('extendExperiment')).toHaveLength(1);
    await worker!.stop();
    worker = undefined;
    expect(await ask('promote', { force: true }, 'c', 1_000)).toMatchObject({ status: 'waiting' });
    worker = await startTestWorker(env, world.activities());
    expect(await resultOf()).toMatchObject({ outcome: 'promoted', reason: 'forced' });
  });

  it('is told when there is no cycle to talk to', async () => {
    const { client } = env;
    expect(await signalCycle(client, 'nobody', 'resume', { actor: 'ada' })).toBe(false);
    expect(await cancelCycle(client, 'nobody')).toBe(false);
    expect(await cycleStatus(client, 'nobody')).toBe(null);
    // The watch loop tells a cycle that has ended nothing, and goes on.
    await tellCycle(client)(cycleWorkflowId('nobody'), { experiment: 'e', evidence: { reason: 'harm' } });
  });
});
