import { afterAll, beforeAll, describe, it } from 'vitest';
import { type CycleStack, startCycleStack } from '../support/cycle-stack.js';
import type { FakeTrainerBehaviour } from '../support/fake-trainer.js';
import { aftermath } from './aftermath.js';
import { addModel, type StackModel } from './stack-model.js';
import { until } from './until.js';

let stack: CycleStack;
const models: StackModel[] = [];

beforeAll(async () => {
  stack = await startCycleStack();
});
afterAll(async () => {
  await Promise.all(models.map((model) => model.close()));
  await stack?.close();
});

/** A model that has learnt enough for a cycle. */
async function desk(name: string, sections?: Record<string, unknown>): Promise<StackModel> {
  const model = await addModel(stack, name, sections);
  models.push(model);
  await model.teach(40);
  return model;
}

const NOT_SET = `\${UNDERSTUDY_FAULTS_NOT_SET}`;
const CANCELLED = { cause: { name: 'CancelledFailure' } };
const UNTOUCHED = {
  route: { champion: 1, previous: null, challenger: null, experimentId: null },
  leases: 0,
  liveExperiments: 0,
  adapters: [],
};
/** How a cycle looks that was given up before it had a version. */
const UNDONE = { ...UNTOUCHED, moves: ['create by test'], versions: ['candidate'], datasets: ['orphaned'] };

describe.concurrent('a cycle in trouble ends clearly and leaves nothing behind', () => {
  it('cancelled with the temporal command while training', async ({ expect }) => {
    const model = await desk('cancelled');
    model.trainer.behaviour.outcome = 'hang';
    const cycle = await model.start();
    await until('a job that is followed', () => model.trainer.requests.includes('GET /v1/fine_tuning/jobs/ftjob-1'));
    await stack.temporal.cli('workflow', 'cancel', '--workflow-id', cycle.workflowId);
    await expect(cycle.result()).rejects.toMatchObject(CANCELLED);
    expect(await aftermath(stack, model)).toEqual({
      ...UNDONE,
      cycles: ['canceled: the workflow was cancelled'],
      jobs: ['cancelled'],
    });
    expect(model.vllm.actions).toEqual([]);
  });

  it('rolled back by the API during the experiment', async ({ expect }) => {
    const model = await desk('rolled-back', {
      experiment: { share: 0.5, min_duration: '10m', max_duration: '20m', look_every: '5m', feedback_window: '1s' },
    });
    const cycle = await model.start();
    await model.comesTo('an experiment', ({ experiment }) => experiment !== null);
    expect([...model.vllm.adapters.keys()]).toEqual(['rolled-back-v2']);
    const answer = await model.post('/api/v1/models/rolled-back/rollback', {
      to_version: 1,
      actor: 'ada',
      reason: 'complaints',
    });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ from_version: 1, to_version: 1, epoch: 3 });
    expect(await cycle.result()).toMatchObject({ outcome: 'rolled_back', reason: 'operator', champion: 1 });
    expect(await aftermath(stack, model)).toEqual({
      ...UNTOUCHED,
      moves: ['create by test', 'start_experiment by cycle', 'rollback by key faults for ada'],
      cycles: ['rolled_back: operator'],
      versions: ['candidate', 'archived'],
      datasets: ['frozen'],
      jobs: ['succeeded'],
    });
  });

  it.for<[FakeTrainerBehaviour['adapter'], string]>([
    ['wrong_digest', 'adapter_digest_mismatch'],
    ['other_base', 'adapter_base_mismatch'],
    ['pickle', 'adapter_refused'],
    ['extra_file', 'adapter_refused'],
  ])('given an adapter with %s: %s', async ([adapter, code], { expect }) => {
    const model = await desk(`adapter-${adapter.replace('_', '-')}`);
    model.trainer.behaviour.adapter = adapter;
    const cycle = await model.start();
    await expect(cycle.result()).rejects.toMatchObject({ cause: { type: code } });
    expect(await aftermath(stack, model)).toEqual({ ...UNDONE, cycles: [`failed: ${code}`], jobs: ['succeeded'] });
    expect(model.vllm.actions).toEqual([]);
  });

  it('given a job that fails: training_failed', async ({ expect }) => {
    const model = await desk('job-fails');
    model.trainer.behaviour.outcome = 'fail';
    const cycle = await model.start();
    await expect(cycle.result()).rejects.toMatchObject({ cause: { type: 'training_failed' } });
    expect(await aftermath(stack, model)).toEqual({ ...UNDONE, cycles: ['failed: training_failed'], jobs: ['failed'] });
  });

  it('shows what a trainer answers that does not speak the API, and can be cancelled', async ({ expect }) => {
    const model = await desk('nonsense');
    Object.assign(model.trainer.behaviour, { outcome: 'hang', answers: 'html' });
    const cycle = await model.start();
    const failure = await until('an attempt that failed', async () => {
      const { pendingActivities } = (await cycle.describe()).raw;
      return pendingActivities?.find(({ activityType }) => activityType?.name === 'followTraining')?.lastFailure;
    });
    expect(failure.applicationFailureInfo).toMatchObject({ type: 'trainer_nonsense', nonRetryable: false });
    expect(failure.message).not.toContain('nginx');
    model.trainer.behaviour.answers = 'right';
    await cycle.cancel();
    await expect(cycle.result()).rejects.toMatchObject(CANCELLED);
    expect(await aftermath(stack, model)).toEqual({
      ...UNDONE,
      cycles: ['canceled: the workflow was cancelled'],
      jobs: ['cancelled'],
    });
  });

  it('parks when the adapter server refuses the candidate, asks for an operator, and can be cancelled', async ({
    expect,
  }) => {
    const model = await desk('parked');
    model.vllm.refuseLoads = 'LoRA is not enabled';
    const cycle = await model.start();
    const { needsOperator } = await model.comesTo('an operator asked for', (status) => status.needsOperator !== null);
    expect(needsOperator).toMatchObject({ step: 'loadVersion', problem: expect.stringMatching(/^serving_refused: /) });
    const found = await until('the cycle among those that need an operator', async () => {
      const list = await stack.temporal.cli('workflow', 'list', '--query', 'UnderstudyNeedsOperator = true');
      return list.includes(cycle.workflowId) && list;
    });
    expect(found).toContain(cycle.workflowId);
    await cycle.cancel();
    await expect(cycle.result()).rejects.toMatchObject(CANCELLED);
    // Hours of training are kept: the version stays, archived, and with it the dataset it was trained on.
    expect(await aftermath(stack, model)).toEqual({
      ...UNTOUCHED,
      moves: ['create by test'],
      cycles: ['canceled: the workflow was cancelled'],
      versions: ['candidate', 'archived'],
      datasets: ['frozen'],
      jobs: ['succeeded'],
    });
  });

  it('parks when a secret of the trainer is not set, naming the variable, and makes no job', async ({ expect }) => {
    const model = await desk('no-secret', { trainer: { api_key: NOT_SET } });
    const cycle = await model.start();
    const { needsOperator } = await model.comesTo('an operator asked for', (status) => status.needsOperator !== null);
    expect(needsOperator!.problem).toMatch(/^missing_variable: .*UNDERSTUDY_FAULTS_NOT_SET/);
    await cycle.cancel();
    await expect(cycle.result()).rejects.toMatchObject(CANCELLED);
    expect(await aftermath(stack, model)).toEqual({
      ...UNDONE,
      cycles: ['canceled: the workflow was cancelled'],
      jobs: [],
    });
    expect(model.trainer.requests).toEqual([]);
  });

  it('skips when there is too little to learn from, with the numbers', async ({ expect }) => {
    const model = await desk('too-few', { triggers: { min_new_examples: 41 } });
    const cycle = await model.start();
    expect(await cycle.result()).toMatchObject({
      outcome: 'skipped',
      reason: 'not_enough_examples',
      champion: 1,
      candidate: null,
      evidence: { considered: 40, eligible: 40, needed: 41 },
    });
    expect(await aftermath(stack, model)).toEqual({ ...UNDONE, cycles: ['skipped: not_enough_examples'], jobs: [] });
  });
});
