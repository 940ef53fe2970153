import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readRoute } from '../../src/routing/index.js';
import { type CycleStack, startCycleStack } from '../support/cycle-stack.js';
import { aftermath } from './aftermath.js';
import { addModel, type StackModel } from './stack-model.js';
import { startTraffic, type Traffic } from './traffic.js';
import { until } from './until.js';

let stack: CycleStack;
let desk: StackModel;
let shop: StackModel;
let traffic: Traffic | undefined;

beforeAll(async () => {
  stack = await startCycleStack();
  // Looks come after ten minutes: until then only the watch loop or an operator takes the challenger off the route.
  const experiment = { share: 0.5, min_duration: '10m', max_duration: '20m', look_every: '5m', feedback_window: '1s' };
  [desk, shop] = await Promise.all([addModel(stack, 'desk', { experiment }), addModel(stack, 'shop', { experiment })]);
  Object.assign(desk.right, { base: 0.8, trained: 0.1 });
  await Promise.all([desk.teach(40), shop.teach(40)]);
});
afterAll(async () => {
  await traffic?.stop();
  await Promise.all([desk?.close(), shop?.close()]);
  await stack?.close();
});

describe('Temporal stopped while a harmful challenger is live', () => {
  it('does not keep the challenger on the route: the watch loop stops it, with its evidence, and the gateway goes on', async () => {
    await Promise.all([desk.start(), shop.start()]);
    await shop.comesTo('an experiment', (status) => status.experiment !== null);
    const { experiment } = await desk.comesTo('an experiment', (status) => status.experiment !== null);
    expect(await readRoute(stack.db, 'desk')).toMatchObject({ champion: 1, challenger: 2 });

    await stack.temporal.kill();
    // Nobody was asked before: whatever is found out about the challenger is found out without Temporal.
    traffic = startTraffic(desk, 60);
    const harm = await until('a challenger that has done harm', () => challengerOutcomes(100));
    const stoppedAt = await until('the champion alone', async () => {
      const { champion, challenger, experimentId } = await readRoute(stack.db, 'desk');
      return champion === 1 && challenger === null && experimentId === null && performance.now();
    });
    expect(stoppedAt - harm).toBeLessThan(5_000);

    const { answered } = traffic.totals;
    const answersMore = (count: number) => {
      const from = answered[1] ?? 0;
      return until(`${count} answers more`, () => (answered[1] ?? 0) >= from + count);
    };
    // What was under way when the route moved may still be answered by the challenger; nothing after that.
    await answersMore(50);
    const byChallenger = answered[2];
    await answersMore(100);
    expect(answered[2]).toBe(byChallenger);
    expect(traffic.totals.failed).toBe(0);

    const [stop] = await stack.db.prisma.routeChange.findMany({ where: { model: 'desk', action: 'harm_stop' } });
    expect(stop).toMatchObject({
      actor: 'watch',
      evidence: {
        experiment: experiment!.id,
        reason: 'harm',
        n: { champion: expect.any(Number), challenger: expect.any(Number) },
        interval: [null, expect.any(Number)],
        boundary: 0,
      },
    });
    const { n, interval } = stop!.evidence as { n: { challenger: number }; interval: [null, number] };
    expect(n.challenger).toBeGreaterThanOrEqual(100);
    expect(interval[1]).toBeLessThan(0);
    expect(await stack.db.prisma.experiment.findUnique({ where: { id: experiment!.id } })).toMatchObject({
      endedAt: expect.any(Date),
      decision: 'reject',
      reason: 'harm',
    });
    // The cycle does not know yet.
    expect(await stack.db.prisma.cycle.findFirst({ where: { model: 'desk', endedAt: null } })).not.toBeNull();
  });

  it('does not keep an operator from rolling back by the API', async () => {
    const order = { to_version: 1, actor: 'ada', reason: 'complaints' };
    const answer = await shop.post('/api/v1/models/shop/rollback', order);
    expect(answer.status).toBe(200);
    expect(await readRoute(stack.db, 'shop')).toMatchObject({ champion: 1, challenger: null, experimentId: null });
  });

  it('ends the cycle as rejected for harm once Temporal is back, and takes the adapter away', async () => {
    await stack.temporal.start();
    const outcome = await stack.temporal.client.workflow.getHandle('retraining-cycle-desk').result();
    const { failed } = await traffic!.stop();
    expect(outcome).toMatchObject({ outcome: 'rejected', reason: 'harm', candidate: 2, champion: 1 });
    expect(failed).toBe(0);
    expect(await aftermath(stack, desk)).toEqual({
      route: { champion: 1, previous: null, challenger: null, experimentId: null },
      moves: ['create by test', 'start_experiment by cycle', 'harm_stop by watch'],
      cycles: ['rejected: harm'],
      leases: 0,
      liveExperiments: 0,
      versions: ['candidate', 'rejected'],
      datasets: ['frozen'],
      jobs: ['succeeded'],
      adapters: [],
    });
  });

  it('leaves the route to the operator when the cycle that was not told is cancelled', async () => {
    const cycle = stack.temporal.client.workflow.getHandle('retraining-cycle-shop');
    await cycle.cancel();
    await expect(cycle.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
    expect(await aftermath(stack, shop)).toMatchObject({
      moves: ['create by test', 'start_experiment by cycle', 'rollback by key faults for ada'],
      cycles: ['canceled: the workflow was cancelled'],
      leases: 0,
      liveExperiments: 0,
      adapters: [],
    });
  });
});

/** When the challenger's arm has this many rated answers: the time, else nothing. */
async function challengerOutcomes(count: number): Promise<number | null> {
  const { rows } = await stack.db.pool.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM interactions i JOIN feedback f ON f.interaction_id = i.id WHERE i.arm = 'challenger'`,
  );
  return rows[0]!.n >= count ? performance.now() : null;
}
