import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { z } from 'zod';
import { createDb, type Db } from '../../src/db/index.js';
import { type FollowOptions, followRoutes } from '../../src/routing/follow-routes.js';
import { awaitGateways, changeRoute, type RouteFollower, readRoute } from '../../src/routing/index.js';
import { openStateFile, stateOwner } from '../../src/state/index.js';
import { type CuttableProxy, startCuttableProxy } from '../support/cuttable-proxy.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { seedModel } from '../support/experiment-data.js';

let database: TestDatabase;
let db: Db;
let proxy: CuttableProxy;
let folder: string;
const open: RouteFollower[] = [];
beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(database.url);
  const admin = new URL(inject('adminDatabaseUrl'));
  proxy = await startCuttableProxy(admin.hostname, Number(admin.port || 5432));
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'understudy-routes-'));
});
afterEach(async () => {
  await proxy.restore();
  await Promise.all(open.splice(0).map((follower) => follower.close()));
});
afterAll(async () => {
  await proxy.close();
  await db.close();
  await database.drop();
  fs.rmSync(folder, { recursive: true, force: true });
});

/** Follows through the proxy. */
async function follow(options: FollowOptions = {}): Promise<RouteFollower> {
  const url = new URL(database.url);
  url.hostname = '127.0.0.1';
  url.port = String(proxy.port);
  const follower = await followRoutes({ url: url.href }, options);
  open.push(follower);
  return follower;
}

/** Gives all traffic to the other of versions 1 and 2; answers the epoch. */
async function flip(model: string): Promise<number> {
  const { epoch, champion } = await readRoute(db, model);
  const next = { champion: 3 - champion, previous: champion, challenger: null, share: null, experimentId: null };
  const moved = await changeRoute(db, {
    model,
    expectedEpoch: epoch,
    next,
    action: 'rollback',
    actor: 'test',
    reason: 'r',
    evidence: {},
  });
  if (!moved.changed) throw new Error('lost a race that nobody else runs');
  return moved.epoch;
}

const NEVER = 600_000;
const state = (name: string) => ({
  folder: path.join(folder, name),
  owner: stateOwner(database.url),
  key: 'a key of the deployment',
});
const epochs = async () =>
  (await db.pool.query<{ name: string; epochs: Record<string, number> }>('SELECT name, epochs FROM gateways')).rows;

describe('a notification', () => {
  it('brings the route itself, so that nothing is read; one that does not makes the route be read unless it is in memory', async () => {
    const model = await seedModel(db, { versions: 2 });
    const other = await seedModel(db, { versions: 2 });
    const follower = await follow({ pollMs: NEVER });
    const before = follower.status().reads;
    for (let n = 0; n < 3; n++) {
      const epoch = await flip(model);
      await expect.poll(() => follower.current(model)?.epoch).toBe(epoch);
    }
    expect(follower.status().reads).toEqual({ ...before, told: before.told + 3 });
    expect(follower.current(model)).toEqual({ ...(await readRoute(db, model)), expired: false });

    await db.pool.query(`SELECT pg_notify('understudy_route', $1)`, [`${model} 2`]);
    await db.pool.query(`SELECT pg_notify('understudy_route', 'not a route')`);
    const epoch = await flip(other);
    await expect.poll(() => follower.current(other)?.epoch).toBe(epoch);
    const heard = { ...before, told: before.told + 4, known: before.known + 1 };
    expect(follower.status().reads).toEqual(heard);

    // Not a route, another model's, of another epoch: what the table says is what counts.
    const lies = ['{"epoch":99}', JSON.stringify({ ...(await readRoute(db, other)), epoch: 99 }), '{', '{}'];
    for (const [n, lie] of lies.entries()) {
      await db.pool.query(`SELECT pg_notify('understudy_route', $1)`, [`${model} 99 ${lie}`]);
      await expect.poll(() => follower.status().reads.one).toBe(before.one + n + 1);
    }
    expect(follower.current(model)?.epoch).toBe(4);
    expect(follower.status().reads).toMatchObject({ told: heard.told });
  });

  it('that comes late does not make a route look fresh', async () => {
    const model = await seedModel(db, { versions: 2 });
    let now = 0;
    const follower = await follow({ pollMs: NEVER, clock: () => now });
    now += (await readRoute(db, model)).validForMs + 1;
    const epoch = await flip(model);
    await expect.poll(() => follower.current(model)).toMatchObject({ epoch, champion: 2, expired: true });
    await follower.refresh();
    expect(follower.current(model)).toMatchObject({ epoch, expired: false });
  });

  it('of many changes at once leads to the newest one', async () => {
    const model = await seedModel(db, { versions: 2 });
    const follower = await follow({ pollMs: NEVER });
    let epoch = 0;
    for (let n = 0; n < 20; n++) epoch = await flip(model);
    await expect.poll(() => follower.current(model)?.epoch).toBe(epoch);
  });

  it('brings a model that was made after the start', async () => {
    const follower = await follow({ pollMs: NEVER });
    const model = await seedModel(db, { versions: 2 });
    await expect.poll(() => follower.current(model)?.champion).toBe(1);
  });
});

describe('a listener', () => {
  it('that is cut off without a word is found out by the poll, and another one hears changes again', async () => {
    const model = await seedModel(db, { versions: 2 });
    const follower = await follow({ pollMs: 1_000 });
    proxy.freeze();
    const startedAt = performance.now();
    const epoch = await flip(model);
    await expect.poll(() => follower.current(model)?.epoch, { timeout: 10_000 }).toBe(epoch);
    // A poll a second, a quarter of a second of silence, a new connection; the rest is for a busy machine.
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    const { told } = follower.status().reads;
    const next = await flip(model);
    await expect.poll(() => follower.current(model)?.epoch).toBe(next);
    await expect.poll(() => follower.status().reads.told).toBe(told + 1);
  });

  it('that hears nothing, though its connection is alive, is replaced', async () => {
    const model = await seedModel(db, { versions: 2 });
    let deaf = 0;
    const follower = await follow({
      pollMs: 100,
      onDeaf: () => {
        deaf += 1;
      },
    });
    await expect.poll(() => follower.status().reads.all).toBeGreaterThan(1);
    // As a change whose notification a pooler between us swallowed.
    await db.pool.query(
      `WITH moved AS (UPDATE routes SET epoch = epoch + 1, champion = 2, previous = 1 WHERE model = $1 RETURNING epoch)
       INSERT INTO route_changes (model, epoch, action, after, actor, reason, evidence)
       SELECT $1, epoch, 'rollback', '{}', 'test', 'r', '{}' FROM moved`,
      [model],
    );
    await expect.poll(() => follower.current(model)?.champion).toBe(2);
    await expect.poll(() => deaf).toBe(1);
    const epoch = await flip(model);
    await expect.poll(() => follower.current(model)?.epoch).toBe(epoch);
    expect(follower.status().listening).toBe(true);
  });

  it('is not replaced while it hears what the poll finds', async () => {
    const model = await seedModel(db, { versions: 2 });
    let deaf = 0;
    const follower = await follow({
      pollMs: 50,
      onDeaf: () => {
        deaf += 1;
      },
    });
    for (let n = 0; n < 20; n++) {
      const epoch = await flip(model);
      await follower.refresh();
      expect(follower.current(model)?.epoch).toBe(epoch);
    }
    expect(deaf).toBe(0);
  });
});

describe('saved routes', () => {
  it('are in force at once when Postgres is away at the start, and give way to what Postgres says', async () => {
    const model = await seedModel(db, { versions: 2 });
    const saved = { state: state('restart') };
    const first = await follow({ saved });
    const epoch = await flip(model);
    await expect.poll(() => first.current(model)?.epoch).toBe(epoch);
    await first.close();
    await proxy.cut();

    const startedAt = performance.now();
    const second = await follow({ saved, pollMs: 100 });
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    expect(second.status()).toMatchObject({ source: 'saved', listening: false });
    expect(second.current(model)).toMatchObject({ epoch, champion: 2, expired: false });
    expect(second.age()).toBeGreaterThan(0);
    expect(second.age()).toBeLessThan(60_000);

    const next = await flip(model);
    await proxy.restore();
    await expect.poll(() => second.current(model)?.epoch, { timeout: 10_000 }).toBe(next);
    expect(second.status()).toMatchObject({ source: 'postgres', listening: true });
  });

  it('are expired once nobody has read them for validForMs, over the restart', async () => {
    const model = await seedModel(db, { versions: 2 });
    const saved = { state: state('expired') };
    const before = await follow({ saved });
    await before.close();
    await proxy.cut();
    let now = performance.now();
    const after = await follow({ saved, clock: () => now });
    expect(after.current(model)).toMatchObject({ champion: 1, expired: false });
    now += 61_000;
    expect(after.current(model)).toMatchObject({ champion: 1, expired: true });
    expect(after.age()).toBeGreaterThan(61_000);
  });

  it('are expired when the clock cannot tell how old they are', async () => {
    const model = await seedModel(db, { versions: 2 });
    const saved = { state: state('future') };
    const before = await follow({ saved });
    const file = path.join(saved.state.folder, 'routes');
    await before.close();
    await proxy.cut();
    const text = fs.readFileSync(file, 'utf8');
    const content = JSON.parse(text.slice(text.indexOf('\n') + 1)) as Record<string, unknown>;
    const forged = openStateFile(saved.state, 'routes', { version: 1, schema: z.record(z.string(), z.unknown()) });
    await forged.write({ ...content, readAt: '2999-01-01T00:00:00.000Z' });
    const after = await follow({ saved });
    expect(after.current(model)).toMatchObject({ champion: 1, expired: true });
    expect(after.age()).toBe(Number.POSITIVE_INFINITY);
  });

  it('that are torn are ignored with a reason, and nothing is served until Postgres is there', async () => {
    const model = await seedModel(db, { versions: 2 });
    const saved = { state: state('torn'), onIgnored: (why: string) => void reasons.push(why) };
    const reasons: string[] = [];
    const before = await follow({ saved });
    const file = path.join(saved.state.folder, 'routes');
    await before.close();
    fs.truncateSync(file, fs.statSync(file).size - 2);
    await proxy.cut();
    const after = await follow({ saved, pollMs: 100 });
    expect(reasons).toEqual(['it was not written whole, or not by this deployment']);
    expect([after.current(model), after.age()]).toEqual([undefined, undefined]);
    await proxy.restore();
    await expect.poll(() => after.current(model)?.champion, { timeout: 10_000 }).toBe(1);
  });
});

describe('waiting for gateways', () => {
  it('returns once every gateway follows the route, and says how many', async () => {
    const model = await seedModel(db, { versions: 2 });
    const followers = await Promise.all(['a', 'b', 'c'].map((name) => follow({ gateway: name })));
    for (let n = 0; n < 10; n++) {
      const epoch = await flip(model);
      const done = await awaitGateways(db, { model, epoch });
      // What it promises: no request that begins now is answered from the route before.
      for (const follower of followers) expect(follower.current(model)?.epoch).toBe(epoch);
      expect(done).toMatchObject({ gateways: 3, silent: [] });
    }
  });

  it('names who is missing when the time is up, and goes on when that gateway follows', async () => {
    const model = await seedModel(db, { versions: 2 });
    await follow({ gateway: 'quick' });
    await db.pool.query(`INSERT INTO gateways (id, name, epochs) VALUES (gen_random_uuid(), 'slow', '{}')`);
    const epoch = await flip(model);
    const failure = awaitGateways(db, { model, epoch, timeoutMs: 300 });
    await expect(failure).rejects.toMatchObject({ code: 'gateways_behind', details: { missing: 'slow', epoch } });
    const again = awaitGateways(db, { model, epoch });
    await db.pool.query(`UPDATE gateways SET epochs = jsonb_build_object($1::text, $2::int) WHERE name = 'slow'`, [
      model,
      epoch,
    ]);
    expect(await again).toMatchObject({ gateways: 2, silent: [] });
    await db.pool.query(`DELETE FROM gateways WHERE name = 'slow'`);
  });

  it('does not wait for a gateway that said goodbye, and for a dead one only until its time is up', async () => {
    const model = await seedModel(db, { versions: 2 });
    const stopped = await follow({ gateway: 'stopped' });
    await stopped.close();
    expect(await epochs()).toEqual([]);
    await db.pool.query(
      `INSERT INTO gateways (id, name, epochs, seen_at) VALUES
         (gen_random_uuid(), 'long dead', '{}', now() - interval '2 minutes'),
         (gen_random_uuid(), 'just died', '{}', now() - interval '1 second')`,
    );
    const epoch = await flip(model);
    const done = await awaitGateways(db, { model, epoch, timeoutMs: 20_000 });
    expect(done).toMatchObject({ gateways: 0, silent: ['just died', 'long dead'] });
    expect(done.ms).toBeGreaterThan(3_000);
    // Whoever comes next forgets those who were silent for long, and the one whose place it takes.
    await db.pool.query(`UPDATE gateways SET seen_at = now() - interval '11 minutes' WHERE name = 'long dead'`);
    await follow({ gateway: 'just died' });
    await expect.poll(async () => (await epochs()).map(({ name }) => name)).toEqual(['just died']);
    expect(await awaitGateways(db, { model, epoch })).toMatchObject({ gateways: 1, silent: [] });
  });

  it('sees a gateway again that lost Postgres for a while, with what it could not tell meanwhile', async () => {
    const model = await seedModel(db, { versions: 2 });
    const follower = await follow({ gateway: 'cut off', pollMs: 100 });
    await proxy.cut();
    const epoch = await flip(model);
    const waiting = awaitGateways(db, { model, epoch });
    expect(follower.current(model)?.epoch).toBe(epoch - 1);
    await proxy.restore();
    expect(await waiting).toMatchObject({ gateways: 1, silent: [] });
    expect(follower.current(model)?.epoch).toBe(epoch);
  });
});
