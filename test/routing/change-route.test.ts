import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changeRoute, followRoutes, type NextRoute, readRoute } from '../../src/routing/index.js';
import { useTestDatabase } from '../support/database.js';
import { routeChanges, seedCycle, seedModel } from '../support/experiment-data.js';

const database = await useTestDatabase();
const { db } = database;

const alone = (champion: number, previous: number | null = null): NextRoute => ({
  champion,
  previous,
  challenger: null,
  share: null,
  experimentId: null,
});

function change(model: string, expectedEpoch: number, next: NextRoute, more: { requestId?: string } = {}) {
  return {
    model,
    expectedEpoch,
    next,
    action: 'rollback' as const,
    actor: 'test',
    reason: 'a test',
    evidence: { n: 1 },
    ...more,
  };
}

describe('changeRoute', () => {
  it('keeps exactly one route per model and gapless epochs, and a lost race changes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({ champion: fc.integer({ min: 1, max: 4 }), epochOff: fc.constantFrom(0, 0, 0, -1, 1, 5) }),
          { minLength: 1, maxLength: 8 },
        ),
        async (moves) => {
          const model = await seedModel(db, { versions: 4 });
          let route = await readRoute(db, model);
          for (const { champion, epochOff } of moves) {
            const before = await routeChanges(db, model);
            const expectedEpoch = route.epoch + epochOff;
            const result = await changeRoute(db, change(model, expectedEpoch, alone(champion)));
            const now = await readRoute(db, model);
            const after = await routeChanges(db, model);
            expect(result.changed).toBe(epochOff === 0);
            if (result.changed) {
              expect(now).toMatchObject({ champion, epoch: route.epoch + 1 });
              expect(after.at(-1)).toMatchObject({ epoch: now.epoch, evidence: { n: 1 }, after: { champion } });
            } else {
              expect(now).toEqual(route);
              expect(after).toEqual(before);
            }
            route = now;
          }
          expect(await db.prisma.route.count({ where: { model } })).toBe(1);
          expect((await routeChanges(db, model)).map(({ epoch }) => epoch)).toEqual(
            Array.from({ length: route.epoch }, (_, i) => i + 1),
          );
        },
      ),
      { numRuns: 15 },
    );
  });

  it('lets exactly one of twenty calls at once win each epoch', async () => {
    const model = await seedModel(db, { versions: 3 });
    for (const epoch of [1, 2, 3]) {
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, i) => changeRoute(db, change(model, epoch, alone(1 + ((epoch + i) % 3))))),
      );
      expect(results.filter(({ changed }) => changed)).toHaveLength(1);
      for (const result of results) if (!result.changed) expect(result.current.epoch).toBe(epoch + 1);
    }
    expect((await routeChanges(db, model)).map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4]);
  });

  it('lets one of twenty creations at once win', async () => {
    const model = await seedModel(db);
    await db.pool.query(`BEGIN; SET LOCAL session_replication_role = replica;
      DELETE FROM route_changes WHERE model = '${model}'; DELETE FROM routes WHERE model = '${model}'; COMMIT`);
    const results = await Promise.all(
      Array.from({ length: 20 }, () => changeRoute(db, { ...change(model, 0, alone(1)), action: 'create' })),
    );
    expect(results.filter(({ changed }) => changed)).toHaveLength(1);
    expect(await db.prisma.route.count({ where: { model } })).toBe(1);
  });

  it('answers a repeated request id with the first change, also when twenty come at once', async () => {
    const model = await seedModel(db, { versions: 3 });
    const request = change(model, 1, alone(2, 1), { requestId: 'r-1' });
    const results = await Promise.all(Array.from({ length: 20 }, () => changeRoute(db, request)));
    expect(results.map((result) => result.changed && result.epoch)).toEqual(Array(20).fill(2));
    expect(results.filter((result) => result.changed && !result.repeated)).toHaveLength(1);

    await changeRoute(db, change(model, 2, alone(3, 2)));
    expect(await changeRoute(db, request)).toMatchObject({
      changed: true,
      repeated: true,
      epoch: 2,
      route: { epoch: 3, champion: 3 },
    });
    expect(await routeChanges(db, model)).toHaveLength(3);
  });

  it('refuses a request id that was used for another change', async () => {
    const model = await seedModel(db, { versions: 3 });
    await changeRoute(db, change(model, 1, alone(2, 1), { requestId: 'r-1' }));
    await expect(changeRoute(db, change(model, 2, alone(3, 1), { requestId: 'r-1' }))).rejects.toMatchObject({
      code: 'request_id_reused',
    });
    expect((await readRoute(db, model)).epoch).toBe(2);
  });

  it('runs "before" only for the call that wins, and takes the route back when something beside it fails', async () => {
    const model = await seedModel(db, { versions: 2 });
    let ran = 0;
    const before = async () => {
      ran += 1;
    };
    await Promise.all(Array.from({ length: 5 }, () => changeRoute(db, { ...change(model, 1, alone(2)), before })));
    expect(ran).toBe(1);

    const alongside = async () => {
      throw new Error('beside the route');
    };
    await expect(changeRoute(db, { ...change(model, 2, alone(1)), alongside })).rejects.toThrow('beside the route');
    expect(await readRoute(db, model)).toMatchObject({ epoch: 2, champion: 2 });
    expect(await routeChanges(db, model)).toHaveLength(2);
  });

  it('refuses a version that is not registered, an experiment that does not exist, and an unknown model', async () => {
    const model = await seedModel(db, { versions: 2 });
    await expect(changeRoute(db, change(model, 1, alone(9)))).rejects.toThrow();
    const split = { champion: 1, previous: null, challenger: 2, share: 0.1, experimentId: randomUUID() };
    await expect(changeRoute(db, change(model, 1, split))).rejects.toThrow();
    expect((await readRoute(db, model)).epoch).toBe(1);
    await expect(changeRoute(db, change('nobody', 1, alone(1)))).rejects.toMatchObject({ code: 'unknown_model' });
  });
});

describe('the tables behind the route', () => {
  const attempt = (...statements: string[]) =>
    (async () => {
      const client = await db.pool.connect();
      try {
        await client.query('BEGIN');
        for (const statement of statements) await client.query(statement);
        await client.query('COMMIT');
      } catch (error) {
        await client.query('ROLLBACK');
        throw error;
      } finally {
        client.release();
      }
    })();

  it('refuse to commit a route that moved without a route change', async () => {
    const model = await seedModel(db);
    await expect(attempt(`UPDATE routes SET epoch = 2, champion = 2 WHERE model = '${model}'`)).rejects.toThrow(
      /without a route change/,
    );
    expect(await readRoute(db, model)).toMatchObject({ epoch: 1, champion: 1 });
  });

  it('refuse a route that jumps over an epoch, also with a route change', async () => {
    const model = await seedModel(db);
    const audit = `INSERT INTO route_changes (model, epoch, action, after, actor, reason, evidence) VALUES ('${model}', 3, 'x', '{}', 'x', '', '{}')`;
    await expect(attempt(`UPDATE routes SET epoch = 3 WHERE model = '${model}'`, audit)).rejects.toThrow(/one epoch/);
  });

  it('refuse to change or delete a route change', async () => {
    const model = await seedModel(db);
    await expect(attempt(`UPDATE route_changes SET actor = 'nobody' WHERE model = '${model}'`)).rejects.toThrow(
      /append-only/,
    );
    await expect(attempt(`DELETE FROM route_changes WHERE model = '${model}'`)).rejects.toThrow(/append-only/);
  });

  it('refuse a second route of a model, half a split, and a second live cycle', async () => {
    const model = await seedModel(db);
    await expect(attempt(`INSERT INTO routes (model, epoch, champion) VALUES ('${model}', 1, 1)`)).rejects.toThrow(
      /duplicate key/,
    );
    await expect(attempt(`UPDATE routes SET epoch = 2, challenger = 2 WHERE model = '${model}'`)).rejects.toThrow(
      /check constraint/,
    );
    await seedCycle(db, model);
    await expect(seedCycle(db, model)).rejects.toMatchObject({ code: 'P2002' });
  });
});

describe('followRoutes', () => {
  it('sees a change at once by notification, and by polling when the listener was cut off', async () => {
    const model = await seedModel(db, { versions: 2 });
    const follower = await followRoutes(db, { pollMs: 200 });
    try {
      expect(follower.current(model)).toMatchObject({ champion: 1, expired: false });
      await changeRoute(db, change(model, 1, alone(2, 1)));
      await expect.poll(() => follower.current(model)?.champion).toBe(2);

      await db.pool.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'understudy-routes'`,
      );
      await changeRoute(db, change(model, 2, alone(1, 2)));
      await expect.poll(() => follower.current(model)?.champion).toBe(1);
      expect(follower.current('nobody')).toBeUndefined();
    } finally {
      await follower.close();
    }
  });
});
