import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cycleWorkflowId, parkedCycles, signalCycle, startCycle } from '../../src/temporal/index.js';
import { startDevServer, startTestWorker, type TestWorker } from '../support/temporal.js';
import { World } from '../workflows/world.js';

const MODEL = 'parked-desk';
const world = new World(MODEL);
let env: TestWorkflowEnvironment;
let worker: TestWorker;
beforeAll(async () => {
  env = await startDevServer();
  worker = await startTestWorker(env, world.activities());
});
afterAll(async () => {
  await worker?.stop();
  await env?.teardown();
});

it('finds the cycles that wait for an operator, with step, problem and since when, and none that goes on', async () => {
  let broken = true;
  const missing = { name: 'TRAINER_API_KEY', purpose: 'the policy refers to it' };
  world.fail('submitTraining', 'missing_variable', missing, () => broken);
  const { runId } = await startCycle(env.client, { model: MODEL });
  const parked = () => parkedCycles(env.client);
  await expect.poll(parked, { timeout: 30_000 }).toEqual([
    {
      ...{ model: MODEL, workflowId: cycleWorkflowId(MODEL), runId, step: 'submitTraining' },
      problem: expect.stringMatching(/^missing_variable: .*TRAINER_API_KEY/),
      since: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    },
  ]);
  const [first] = await parked();
  expect(await parked()).toEqual([first]);
  broken = false;
  await signalCycle(env.client, MODEL, 'resume', { actor: 'ann' });
  await expect.poll(parked, { timeout: 30_000 }).toEqual([]);
  await env.client.workflow.getHandle(cycleWorkflowId(MODEL)).terminate();
}, 90_000);

it('finds those that wait for approval, with the evidence', async () => {
  Object.assign(world, new World(MODEL));
  const quick = { minDurationMs: 300, maxDurationMs: 900, lookEveryMs: 300, drainMs: 1 };
  world.plan = { ...world.plan, ...quick, approval: 'manual', approvalTimeoutMs: 60_000, approvals: 2 };
  await startCycle(env.client, { model: MODEL });
  await expect
    .poll(() => parkedCycles(env.client), { timeout: 30_000 })
    .toMatchObject([
      {
        step: 'approve',
        problem: expect.stringMatching(/^version 2 waits for 2 approvals until .*\. challenger 1170/),
      },
    ]);
  await env.client.workflow.getHandle(cycleWorkflowId(MODEL)).terminate();
}, 90_000);
