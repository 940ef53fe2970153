import { beforeEach, describe, expect, it } from 'vitest';
import { UnderstudyError } from '../../src/errors.js';
import { promote, readExperiment, rollBack, startExperiment } from '../../src/experiments/index.js';
import { changeRoute, readRoute } from '../../src/routing/index.js';
import { useTestDatabase } from '../support/database.js';
import { routeChanges, seedCycle, seedModel } from '../support/experiment-data.js';

const database = await useTestDatabase();
const { db } = database;

let loaded: number[] = [];
let loading: (version: number) => void = () => {};
beforeEach(() => {
  loaded = [];
  loading = () => {};
});
const deps = {
  get db() {
    return db;
  },
  async loadVersion(_model: string, version: number) {
    loading(version);
    loaded.push(version);
  },
};

const asOf = new Date('2026-11-20T12:00:00Z');
const by = (model: string, requestId: string) => ({ model, actor: 'alice', reason: 'worse', requestId, asOf });

/** Versions 1, 2, 3 were champion in turn. */
async function threeChampions() {
  const model = await seedModel(db, { versions: 4 });
  for (const version of [2, 3]) {
    await changeRoute(db, {
      model,
      expectedEpoch: version - 1,
      next: { champion: version, previous: version - 1, challenger: null, share: null, experimentId: null },
      action: 'promote',
      actor: 'test',
      reason: '',
      evidence: {},
    });
  }
  return model;
}

describe('rollBack', () => {
  it('goes back to the previous champion, a second time one further, and a third time nowhere', async () => {
    const model = await threeChampions();
    expect(await rollBack(deps, by(model, 'r1'))).toEqual({
      epoch: 4,
      fromVersion: 3,
      toVersion: 2,
      cycleWorkflowId: null,
      candidate: null,
    });
    expect(await readRoute(db, model)).toMatchObject({ champion: 2, previous: 1 });
    expect(await rollBack(deps, by(model, 'r2'))).toMatchObject({ epoch: 5, fromVersion: 2, toVersion: 1 });
    expect(await readRoute(db, model)).toMatchObject({ champion: 1, previous: null });
    await expect(rollBack(deps, by(model, 'r3'))).rejects.toMatchObject({ code: 'nothing_to_roll_back' });
    expect(loaded).toEqual([2, 1]);
    expect((await routeChanges(db, model)).at(-1)).toMatchObject({
      action: 'rollback',
      actor: 'alice',
      reason: 'worse',
      evidence: { from: 2, to: 1, n: null, interval: null, boundary: null },
    });
  });

  it('goes by who was champion when, not by which version is the newest', async () => {
    const model = await seedModel(db, { versions: 4 });
    // 1, 4, 2, 3: version 4, the newest, was champion before 2 and 3.
    const order = [1, 4, 2, 3];
    for (const [i, champion] of order.slice(1).entries()) {
      const next = { champion, previous: order[i]!, challenger: null, share: null, experimentId: null };
      const why = { action: 'promote', actor: 'test', reason: '', evidence: {} } as const;
      await changeRoute(db, { model, expectedEpoch: i + 1, next, ...why });
    }
    const went: number[] = [];
    for (const id of ['r1', 'r2', 'r3']) went.push((await rollBack(deps, by(model, id))).toVersion);
    expect(went).toEqual([2, 4, 1]);
    await expect(rollBack(deps, by(model, 'r4'))).rejects.toMatchObject({ code: 'nothing_to_roll_back' });
  });

  it('answers the same request with the first rollback, also after another one', async () => {
    const model = await threeChampions();
    const first = await rollBack(deps, by(model, 'r1'));
    await rollBack(deps, by(model, 'r2'));
    expect(await rollBack(deps, by(model, 'r1'))).toEqual(first);
    await expect(rollBack(deps, { ...by(model, 'r1'), toVersion: 3 })).rejects.toMatchObject({
      code: 'request_id_reused',
    });
    expect((await readRoute(db, model)).epoch).toBe(5);
  });

  it('answers the same request alike also when the version was in charge, and somebody has moved the route since', async () => {
    const model = await threeChampions();
    const ask = () => rollBack(deps, { ...by(model, 'r1'), toVersion: 3 });
    const first = await ask();
    expect(first).toEqual({ epoch: 3, fromVersion: 3, toVersion: 3, cycleWorkflowId: null, candidate: null });
    await rollBack(deps, by(model, 'r2'));
    expect(await ask()).toEqual(first);
    expect(await readRoute(db, model)).toMatchObject({ champion: 2, epoch: 4 });
    await expect(rollBack(deps, { ...by(model, 'r1'), toVersion: 1 })).rejects.toMatchObject({
      code: 'request_id_reused',
    });
    expect(await rollBack(deps, { ...by(model, 'r3'), toVersion: 3 })).toMatchObject({ epoch: 5 });
  });

  it('moves once when the same request comes ten times at once', async () => {
    const model = await threeChampions();
    const answers = await Promise.all(Array.from({ length: 10 }, () => rollBack(deps, by(model, 'r1'))));
    for (const answer of answers) expect(answer).toMatchObject({ epoch: 4, fromVersion: 3, toVersion: 2 });
    expect((await readRoute(db, model)).epoch).toBe(4);
  });

  it('does not go back two versions when two people roll back at once', async () => {
    const model = await threeChampions();
    const answers = await Promise.all([1, 2, 3].map((i) => rollBack(deps, by(model, `r${i}`))));
    for (const answer of answers) expect(answer.toVersion).toBe(2);
    expect(await readRoute(db, model)).toMatchObject({ champion: 2 });
  });

  it('goes to the version asked for, loads it first, and takes it out of the archive', async () => {
    const model = await threeChampions();
    await db.prisma.version.update({
      where: { model_version: { model, version: 1 } },
      data: { state: 'archived', retiredAt: asOf },
    });
    await rollBack(deps, { ...by(model, 'r1'), toVersion: 1 });
    expect(loaded).toEqual([1]);
    expect(await readRoute(db, model)).toMatchObject({ champion: 1, previous: null });
    expect(
      await db.prisma.version.findUniqueOrThrow({ where: { model_version: { model, version: 1 } } }),
    ).toMatchObject({ state: 'candidate', retiredAt: null });
  });

  it('to a version that never was champion is recorded as forced, and can itself be rolled back', async () => {
    const model = await threeChampions();
    const forced = async () => (await routeChanges(db, model)).at(-1)!.forced;
    await rollBack(deps, { ...by(model, 'r1'), toVersion: 4 });
    expect(await forced()).toBe(true);
    expect(await readRoute(db, model)).toMatchObject({ champion: 4, previous: 3 });
    await rollBack(deps, by(model, 'r2'));
    expect(await forced()).toBe(false);
    expect(await readRoute(db, model)).toMatchObject({ champion: 3, previous: 2 });
  });

  it('does not go to a version that is rejected while it is being loaded', async () => {
    const model = await threeChampions();
    const data = { state: 'rejected', retiredAt: asOf };
    const rejecting = {
      db,
      loadVersion: async () => {
        await db.prisma.version.update({ where: { model_version: { model, version: 4 } }, data });
      },
    };
    await expect(rollBack(rejecting, { ...by(model, 'r1'), toVersion: 4 })).rejects.toMatchObject({
      code: 'version_rejected',
    });
    expect(await readRoute(db, model)).toMatchObject({ epoch: 3, champion: 3 });
  });

  it('refuses an unknown model, an unknown version and a rejected one, and moves nothing', async () => {
    const model = await threeChampions();
    await expect(rollBack(deps, by('nobody', 'r1'))).rejects.toMatchObject({ code: 'unknown_model' });
    await expect(rollBack(deps, { ...by(model, 'r1'), toVersion: 9 })).rejects.toMatchObject({
      code: 'unknown_version',
    });
    await db.prisma.version.update({ where: { model_version: { model, version: 2 } }, data: { state: 'rejected' } });
    await expect(rollBack(deps, by(model, 'r1'))).rejects.toMatchObject({ code: 'version_rejected' });
    expect((await readRoute(db, model)).epoch).toBe(3);
    expect(loaded).toEqual([]);
  });

  it('needs a version to load that the route does not keep loaded, and goes on without for one it does', async () => {
    const model = await threeChampions();
    loading = () => {
      throw new UnderstudyError('serving_unreachable', { url: 'http://x', detail: 'ECONNREFUSED' });
    };
    await expect(rollBack(deps, { ...by(model, 'r1'), toVersion: 1 })).rejects.toMatchObject({
      code: 'serving_unreachable',
    });
    expect((await readRoute(db, model)).champion).toBe(3);
    expect(await rollBack(deps, by(model, 'r2'))).toMatchObject({ toVersion: 2 });
    expect((await routeChanges(db, model)).at(-1)!.evidence).toMatchObject({ loaded: false });
  });

  it('ends a live A/B test with it and names the cycle to be told', async () => {
    const model = await threeChampions();
    const cycleId = await seedCycle(db, model);
    const test = await startExperiment(db, { cycleId, candidate: 4, expectedEpoch: 3, asOf });
    if (test.routeChanged) throw new Error('the route was changed');
    const answer = await rollBack(deps, by(model, 'r1'));
    expect(answer).toEqual({
      epoch: 5,
      fromVersion: 3,
      toVersion: 2,
      cycleWorkflowId: `retraining-cycle-${model}`,
      candidate: 4,
    });
    expect(await readRoute(db, model)).toMatchObject({
      champion: 2,
      previous: 1,
      challenger: null,
      experimentId: null,
    });
    expect(await readExperiment(db, test.experimentId)).toMatchObject({
      decision: 'rollback',
      reason: 'operator',
      endedAt: asOf,
    });
    expect((await routeChanges(db, model)).at(-1)!.evidence).toMatchObject({
      experiment: test.experimentId,
      n: { champion: 0, challenger: 0 },
      boundary: null,
    });
    expect(await rollBack(deps, by(model, 'r1'))).toEqual(answer);
  });

  it('in a bake restores the champion from before with its own previous, and ends the bake', async () => {
    const model = await threeChampions();
    const cycleId = await seedCycle(db, model);
    const test = await startExperiment(db, { cycleId, candidate: 4, expectedEpoch: 3, asOf });
    if (test.routeChanged) throw new Error('the route was changed');
    const bake = await promote(db, {
      experimentId: test.experimentId,
      expectedEpoch: 4,
      actor: 'alice',
      reason: '',
      forced: true,
      asOf,
    });
    if (bake.routeChanged || 'frozenUntil' in bake) throw new Error('not promoted');
    expect(await rollBack(deps, by(model, 'r1'))).toMatchObject({ fromVersion: 4, toVersion: 3, candidate: 4 });
    expect(await readRoute(db, model)).toMatchObject({ champion: 3, previous: 2, challenger: null });
    expect(await readExperiment(db, bake.bakeExperimentId)).toMatchObject({ decision: 'rollback', reason: 'operator' });
    // The next one goes further back, not forth to what was just rolled back.
    expect(await rollBack(deps, by(model, 'r2'))).toMatchObject({ fromVersion: 3, toVersion: 2 });
  });
});
