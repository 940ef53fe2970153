import { describe, expect, it } from 'vitest';
import { TASK_QUEUE } from '../../src/temporal/task-queues.js';
import { cycleWorkflowId, ROLLBACK, rollbackWorkflowId } from '../../src/temporal/workflow-names.js';
import type { CycleOutcome, LaunchOutcome, RollbackOutcome } from '../../src/temporal/workflow-types.js';
import { useTimeSkipping } from './time-skipping.js';
import { World } from './world.js';

// After a child workflow the clock of the test server does not skip any more: nothing here waits after the first test.
// A second start and a rollback during a cycle are in dev-server.test.ts.
const { client, enter, result, runCycle } = useTimeSkipping();

describe('starting', () => {
  it('under any other id starts the cycle as a child that outlives it', async () => {
    const world = new World();
    const launched = await runCycle(world, { workflowId: 'retraining-2026-11-20T03:00:00Z', golden: 'launched' });
    const outcome = launched.outcome as unknown as LaunchOutcome;
    expect(outcome).toMatchObject({ started: true, workflowId: 'retraining-cycle-support-router' });
    expect(launched.attributes).toMatchObject({ UnderstudyModel: 'support-router', UnderstudyTrigger: 'manual' });
    const { runId } = outcome as { runId: string };
    const cycle = (await result(cycleWorkflowId(world.model), runId)) as CycleOutcome;
    expect(cycle).toMatchObject({ outcome: 'promoted' });
    expect(world.rows).toHaveLength(1);
    expect(world.rows[0]).toMatchObject({ workflowId: 'retraining-cycle-support-router' });
  });

  it('again after an end works, and trains anew', async () => {
    const world = new World();
    world.gate = { passed: false };
    await runCycle(world);
    await runCycle(world);
    expect(world.rows.map(({ outcome }) => outcome)).toEqual(['rejected', 'rejected']);
    expect(world.jobs.size).toBe(2);
  });

  it.each([
    ['no input', undefined, 'input'],
    ['no model', {}, 'model'],
    ['a model that cannot be one', { model: 'Support Router' }, 'model'],
    ['a field it does not know', { model: 'm', sandbox: true }, 'sandbox'],
    ['a trigger that is a text', { model: 'm', trigger: 'because I say so' }, 'trigger'],
    ['overrides that are a list', { model: 'm', overrides: [1] }, 'overrides'],
  ])('with %s fails at once as invalid_request, and says which field', async (_name, input, field) => {
    const world = new World('m');
    const cycle = await runCycle(world, { input });
    expect(cycle.failure?.type).toBe('invalid_request');
    expect(cycle.failure?.message).toContain(field);
    expect(world.calls).toEqual([]);
  });

  it('hands trigger and overrides on', async () => {
    const world = new World();
    world.examples = { tooFew: true };
    const overrides = { trainer: { epochs: 3 } };
    const cycle = await runCycle(world, { input: { model: world.model, trigger: 'drift', overrides } });
    expect(world.called('openCycle')[0]).toMatchObject({ trigger: 'drift', overrides });
    expect(cycle.attributes.UnderstudyTrigger).toBe('drift');
  });
});

describe('the rollback workflow', () => {
  async function rollback(world: World, input: object): Promise<RollbackOutcome> {
    const workflowId = rollbackWorkflowId(world.model);
    const handle = await client().workflow.start(ROLLBACK, { taskQueue: TASK_QUEUE, workflowId, args: [input] });
    return (await handle.result()) as RollbackOutcome;
  }

  it('moves the route to the previous version', async () => {
    const world = new World();
    world.route = { ...world.route, champion: 2, previous: 1 };
    enter(world);
    const outcome = await rollback(world, { model: world.model, actor: 'ada', reason: 'complaints' });
    expect(outcome).toEqual({
      model: world.model,
      fromVersion: 2,
      toVersion: 1,
      epoch: 5,
      cycle: null,
      cycleTold: false,
    });
    expect(world.called('rollbackRoute')[0]).toMatchObject({ actor: 'ada', reason: 'complaints' });
    expect(world.called('rollbackRoute')[0]!.requestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('of a model that has nothing to go back to fails as nothing_to_roll_back', async () => {
    const world = new World();
    enter(world);
    const failed = rollback(world, { model: world.model, actor: 'ada', reason: 'complaints' });
    await expect(failed).rejects.toMatchObject({ cause: { type: 'nothing_to_roll_back' } });
    await expect(rollback(world, { model: world.model })).rejects.toMatchObject({ cause: { type: 'invalid_request' } });
  });
});
