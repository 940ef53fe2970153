import { afterEach, describe, expect, it } from 'vitest';
import { closeCycle } from '../../src/cycles/index.js';
import { promote, readExperiment, startExperiment, takeLook } from '../../src/experiments/index.js';
import { type Halt, startWatchLoop, type WatchLoop } from '../../src/monitoring/index.js';
import { changeRoute, readRoute } from '../../src/routing/index.js';
import { useTestDatabase } from '../support/database.js';
import { fillArm, routeChanges, seedCycle, seedModel } from '../support/experiment-data.js';

const database = await useTestDatabase();
const { db } = database;

const at = (seconds: number) => new Date(Date.parse('2026-11-20T12:00:00Z') + seconds * 1_000);

/** Temporal as the loop sees it: everything it was told, and whether it answers. */
function fakeTemporal() {
  const temporal = {
    away: false,
    told: [] as { workflowId: string; halt: Halt }[],
    async tellCycle(workflowId: string, halt: Halt) {
      if (temporal.away) throw Object.assign(new Error('no connection'), { code: 'ECONNREFUSED' });
      temporal.told.push({ workflowId, halt });
    },
  };
  return temporal;
}

const lines: { level: string; facts: object; message: string }[] = [];
const log = (level: string) => (facts: object, message: string) => void lines.push({ level, facts, message });
const logger = { info: log('info'), warn: log('warn'), error: log('error') };

const running: WatchLoop[] = [];
function watch(
  temporal: ReturnType<typeof fakeTemporal>,
  options: { intervalMs?: number; now?: Date } = {},
): WatchLoop {
  const { intervalMs = 3_600_000, now = at(30) } = options;
  const loop = startWatchLoop({ db, intervalMs, tellCycle: temporal.tellCycle, clock: () => now, logger });
  running.push(loop);
  return loop;
}
afterEach(async () => {
  await Promise.all(running.splice(0).map((loop) => loop.stop()));
  await db.prisma.experiment.updateMany({ where: { endedAt: null }, data: { endedAt: at(0), decision: 'undone' } });
  await db.prisma.cycle.updateMany({ where: { endedAt: null }, data: { endedAt: at(0), outcome: 'failed' } });
  lines.length = 0;
});

/** An A/B test with 500 rated answers in each arm after 30 s. */
async function experiment(positives: { champion: number; challenger: number }, failed = 0) {
  const model = await seedModel(db);
  const cycleId = await seedCycle(db, model);
  const test = await startExperiment(db, { cycleId, candidate: 2, expectedEpoch: 1, asOf: at(0) });
  if (test.routeChanged) throw new Error('the route was changed');
  const { experimentId } = test;
  const common = { model, experimentId, subjects: 100, from: at(1) };
  await fillArm(db, { ...common, arm: 'champion', version: 1, positives: positives.champion });
  await fillArm(db, { ...common, arm: 'challenger', version: 2, positives: positives.challenger, failed });
  return { model, cycleId, experimentId };
}

describe('the watch loop', () => {
  it('takes a harmful challenger off the route while Temporal is away, and tells the cycle when it is back', async () => {
    const { model, experimentId, cycleId } = await experiment({ champion: 400, challenger: 100 });
    const temporal = fakeTemporal();
    temporal.away = true;
    const loop = watch(temporal);

    const first = await loop.pass();
    expect(first).toMatchObject({
      leader: true,
      judged: [{ experimentId, model, stopped: 'harm' }],
      told: [],
      failed: [experimentId],
    });
    expect(await readRoute(db, model)).toMatchObject({ epoch: 3, champion: 1, challenger: null, experimentId: null });
    expect(await readExperiment(db, experimentId)).toMatchObject({
      decision: 'reject',
      reason: 'harm',
      endedAt: at(30),
    });
    const change = (await routeChanges(db, model)).at(-1)!;
    expect(change).toMatchObject({ action: 'harm_stop', actor: 'watch', cycleId });
    expect(change.evidence).toMatchObject({
      experiment: experimentId,
      reason: 'harm',
      n: { champion: 500, challenger: 500 },
      x: { champion: 400, challenger: 100 },
      interval: [null, expect.any(Number)],
      boundary: 0,
    });

    expect(await loop.pass()).toMatchObject({ judged: [], told: [], failed: [experimentId] });
    temporal.away = false;
    expect(await loop.pass()).toMatchObject({ told: [experimentId], failed: [] });
    expect(temporal.told).toEqual([
      { workflowId: `retraining-cycle-${model}`, halt: { experiment: experimentId, evidence: change.evidence } },
    ]);
    // Temporal keeps what it accepted: it is not told over and over.
    expect(await loop.pass()).toMatchObject({ told: [], failed: [] });
    expect(temporal.told).toHaveLength(1);
    expect(await routeChanges(db, model)).toHaveLength(3);
  });

  it('tells the cycle also when another server stopped the experiment and died, until the cycle has ended', async () => {
    const { experimentId, cycleId } = await experiment({ champion: 400, challenger: 100 });
    const away = fakeTemporal();
    away.away = true;
    const died = watch(away);
    await died.pass();
    await died.stop();

    const temporal = fakeTemporal();
    expect(await watch(temporal).pass()).toMatchObject({ told: [experimentId] });
    await closeCycle(db, { cycleId, outcome: 'rejected', reason: 'harm', asOf: at(40) });
    await running.at(-1)!.stop();
    expect(await watch(fakeTemporal()).pass()).toMatchObject({ told: [], failed: [] });
  });

  it('gives a look at the stopped experiment the reason it was stopped for', async () => {
    const { experimentId } = await experiment({ champion: 400, challenger: 100 });
    await watch(fakeTemporal()).pass();
    expect(await takeLook(db, { experimentId, k: 1, asOf: at(60), isLast: false })).toMatchObject({
      decision: 'reject',
      reason: 'harm',
      champion: { n: 500, x: 400 },
      challenger: { n: 500, x: 100 },
      routeChanged: { actor: 'watch', action: 'harm_stop' },
    });
  });

  it('stops a challenger that fails more often than the guardrail allows, fall-backs counted', async () => {
    const { model, experimentId } = await experiment({ champion: 400, challenger: 400 }, 300);
    expect(await watch(fakeTemporal()).pass()).toMatchObject({ judged: [{ experimentId, stopped: 'guardrail' }] });
    expect((await routeChanges(db, model)).at(-1)!.evidence).toMatchObject({
      reason: 'guardrail',
      requests: { challenger: 500 },
      errors: { challenger: 300 },
    });
  });

  it('lets an equal and a better challenger go on', async () => {
    const equal = await experiment({ champion: 400, challenger: 400 });
    const better = await experiment({ champion: 300, challenger: 450 });
    const { judged } = await watch(fakeTemporal()).pass();
    expect(judged.map(({ stopped }) => stopped)).toEqual([null, null]);
    for (const { model, experimentId } of [equal, better])
      expect(await readRoute(db, model)).toMatchObject({ experimentId });
  });

  it('rolls a bake back that shows degradation, and tells the cycle', async () => {
    const { model, experimentId, cycleId } = await experiment({ champion: 300, challenger: 450 });
    await takeLook(db, { experimentId, k: 1, asOf: at(60), isLast: false });
    const bake = await promote(db, {
      experimentId,
      expectedEpoch: 2,
      actor: 'cycle',
      reason: 'significant',
      forced: false,
      asOf: at(61),
    });
    if (bake.routeChanged || 'frozenUntil' in bake) throw new Error('not promoted');
    const arms = { model, experimentId: bake.bakeExperimentId, from: at(62) };
    await fillArm(db, { ...arms, arm: 'champion', version: 2, subjects: 100, positives: 100 });
    await fillArm(db, { ...arms, arm: 'holdback', version: 1, subjects: 30, positives: 120 });
    const temporal = fakeTemporal();
    const result = await watch(temporal, { now: at(90) }).pass();
    expect(result).toMatchObject({
      judged: [{ experimentId: bake.bakeExperimentId, stopped: 'bake_harm' }],
      told: [bake.bakeExperimentId],
    });
    expect(await readRoute(db, model)).toMatchObject({ epoch: 4, champion: 1, previous: null, challenger: null });
    expect((await routeChanges(db, model)).at(-1)).toMatchObject({
      action: 'rollback',
      actor: 'watch',
      cycleId,
      evidence: { boundary: -0.01, n: { champion: 500, holdback: 150 } },
    });
    expect(temporal.told[0]!.halt.evidence).toMatchObject({ reason: 'bake_harm', summary: expect.any(String) });
  });

  it('judges the others when one cannot be judged', async () => {
    const broken = await experiment({ champion: 400, challenger: 100 });
    const harmful = await experiment({ champion: 400, challenger: 100 });
    await db.pool.query(`UPDATE experiments SET settings = '{}' WHERE id = $1`, [broken.experimentId]);
    const result = await watch(fakeTemporal()).pass();
    expect(result).toMatchObject({
      judged: [{ experimentId: harmful.experimentId, stopped: 'harm' }],
      failed: [broken.experimentId],
    });
    expect(lines.filter(({ level }) => level === 'error')).toHaveLength(1);
  });

  it('leaves a route alone that has left the experiment in another way', async () => {
    const { model, experimentId } = await experiment({ champion: 400, challenger: 100 });
    await changeRoute(db, {
      model,
      expectedEpoch: 2,
      next: { champion: 2, previous: 1, challenger: null, share: null, experimentId: null },
      action: 'rollback',
      actor: 'alice',
      reason: '',
      evidence: {},
    });
    expect(await watch(fakeTemporal()).pass()).toMatchObject({ judged: [{ experimentId, stopped: null }], told: [] });
    expect(await readRoute(db, model)).toMatchObject({ epoch: 3, champion: 2 });
  });

  it('has one leader among two, and the other takes over when its connection is lost or it stops', async () => {
    const [one, two] = [watch(fakeTemporal()), watch(fakeTemporal())];
    expect([await one.pass(), await two.pass(), await one.pass()].map(({ leader }) => leader)).toEqual([
      true,
      false,
      true,
    ]);

    await db.pool.query(
      `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    await expect.poll(() => two.pass().then(({ leader }) => leader)).toBe(true);
    // The first one finds out by itself that it leads no more.
    await expect
      .poll(() =>
        one.pass().then(
          ({ leader }) => leader,
          () => null,
        ),
      )
      .toBe(false);

    await two.stop();
    await expect.poll(() => one.pass().then(({ leader }) => leader)).toBe(true);
  });

  it('passes by itself, survives passes that fail, and stops', async () => {
    const { model } = await experiment({ champion: 400, challenger: 100 });
    const temporal = fakeTemporal();
    temporal.away = true;
    const loop = watch(temporal, { intervalMs: 50 });
    await expect.poll(async () => (await readRoute(db, model)).challenger, { timeout: 10_000 }).toBeNull();
    await db.pool.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'understudy-watch'`,
    );
    temporal.away = false;
    await expect.poll(() => temporal.told.length, { timeout: 10_000 }).toBe(1);
    await loop.stop();
    const told = temporal.told.length;
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(temporal.told).toHaveLength(told);
    const { rows } = await db.pool.query(
      `SELECT count(*)::int AS open FROM pg_stat_activity WHERE application_name = 'understudy-watch' AND datname = current_database()`,
    );
    expect(rows[0].open).toBe(0);
  });
});
