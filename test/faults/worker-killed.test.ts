import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CycleStack, startCycleStack } from '../support/cycle-stack.js';
import { aftermath } from './aftermath.js';
import { addModel, type StackModel } from './stack-model.js';
import { startTraffic, type Traffic } from './traffic.js';
import { until } from './until.js';

const FOLLOWED = 'GET /v1/fine_tuning/jobs/ftjob-1';
const CREATED = 'POST /v1/fine_tuning/jobs';

let stack: CycleStack;
let desk: StackModel;
let shop: StackModel;
let traffic: Traffic | undefined;

beforeAll(async () => {
  stack = await startCycleStack();
  [desk, shop] = await Promise.all([addModel(stack, 'desk'), addModel(stack, 'shop')]);
  await Promise.all([desk.teach(40), shop.teach(40)]);
});
afterAll(async () => {
  await traffic?.stop();
  await Promise.all([desk?.close(), shop?.close()]);
  await stack?.close();
});

/** One cycle on "desk", killed in three of its phases; on "shop" the first kill falls between making a job and recording it. */
// A step that a dead worker had begun is given to another one after 30 s without a heartbeat.
describe('a worker that is killed and replaced', { timeout: 100_000 }, () => {
  it('leaves one training job: followed to its end, and found again where it was not yet recorded', async () => {
    desk.trainer.behaviour.outcome = 'hang';
    shop.trainer.behaviour.outcome = 'hang';
    shop.trainer.drop(1, 'hang', /POST .*\/jobs$/);
    await Promise.all([desk.start(), shop.start()]);
    await until('a job that is followed', () => desk.trainer.requests.includes(FOLLOWED));
    await until('a job that nobody was told of', () => shop.trainer.jobs.length === 1);
    expect(await trainingRun(shop)).toMatchObject({ status: 'intended', jobId: null });

    await stack.worker.kill();
    // It ends while nobody follows it.
    desk.trainer.finishAll();
    const followed = desk.trainer.requests.filter((line) => line === FOLLOWED).length;

    await until('the job found by its key', async () => (await trainingRun(shop))?.jobId === 'ftjob-1', 50_000);
    await until(
      'the other one followed again',
      () => desk.trainer.requests.filter((line) => line === FOLLOWED).length > followed,
      50_000,
    );
    expect(stack.worker.restarts).toBe(1);
    for (const { trainer } of [desk, shop]) {
      expect(trainer.jobs).toHaveLength(1);
      expect(trainer.requests.filter((line) => line === CREATED)).toHaveLength(1);
    }
    await until('the job recorded as finished', async () => (await trainingRun(desk))?.status === 'succeeded');
  });

  it('leaves an experiment as it was: nobody changes arms, and its look is taken late', async () => {
    await desk.comesTo('an experiment', ({ experiment }) => experiment !== null, 40_000);
    await stack.worker.kill();
    traffic = startTraffic(desk);
    const { looks } = await desk.comesTo('the end of the test', ({ bake }) => bake !== null, 40_000);
    expect(stack.worker.restarts).toBe(2);
    expect(looks.at(-1)).toMatchObject({ decision: 'promote' });
    const inBoth = await stack.db.pool.query(
      'SELECT subject FROM exposures GROUP BY experiment_id, subject HAVING count(DISTINCT arm) > 1',
    );
    expect(inBoth.rows).toEqual([]);
  });

  it('leaves a bake as it was, and the cycle ends promoted, with nothing done twice', async () => {
    await desk.comesTo('the bake', ({ phase, bake }) => phase === 'baking' && bake !== null);
    await stack.worker.kill();
    const cycle = stack.temporal.client.workflow.getHandle('retraining-cycle-desk');
    expect((await cycle.describe()).status.name).toBe('RUNNING');
    const outcome = await cycle.result();
    const totals = await traffic!.stop();

    expect(stack.worker.restarts).toBe(3);
    expect(outcome).toMatchObject({ outcome: 'promoted', reason: 'significant', candidate: 2, champion: 2 });
    expect(await aftermath(stack, desk)).toEqual({
      route: { champion: 2, previous: 1, challenger: null, experimentId: null },
      moves: ['create by test', 'start_experiment by cycle', 'promote by cycle', 'end_bake by cycle'],
      cycles: ['promoted: significant'],
      leases: 0,
      liveExperiments: 0,
      versions: ['candidate', 'candidate'],
      datasets: ['frozen'],
      jobs: ['succeeded'],
      adapters: ['desk-v2'],
    });
    expect(desk.vllm.actions).toEqual(['load desk-v2']);
    // The gateway does not notice that workers come and go.
    expect(totals).toMatchObject({ failed: 0, answered: { 1: expect.any(Number), 2: expect.any(Number) } });
  });

  it('leaves nothing of a cycle that is cancelled afterwards', async () => {
    const cycle = stack.temporal.client.workflow.getHandle('retraining-cycle-shop');
    await cycle.cancel();
    await expect(cycle.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
    expect(await aftermath(stack, shop)).toMatchObject({
      cycles: ['canceled: the workflow was cancelled'],
      leases: 0,
      datasets: ['orphaned'],
      jobs: ['cancelled'],
      adapters: [],
    });
  });
});

function trainingRun({ name: model }: StackModel) {
  return stack.db.prisma.trainingRun.findFirst({ where: { model } });
}
