import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { UnderstudyError } from '../../src/errors.js';
import { rollBack } from '../../src/experiments/index.js';
import { readRoute } from '../../src/routing/index.js';
import {
  loadVersion,
  type Reconciliation,
  reconcile,
  startReconciler,
  unloadVersion,
} from '../../src/serving/index.js';
import { type FakeVllm, startFakeVllm } from '../support/fake-vllm.js';
import { startHttpFake } from '../support/http-fake.js';
import { seedAdapterVersion, seedRoute } from '../support/seed-version.js';
import { noSecrets, openStage, type Stage, seedModel } from '../support/stage-fixtures.js';

let stage: Stage;
let one: FakeVllm;
let two: FakeVllm;
let model: string;
let models = 0;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());
beforeEach(async () => {
  [one, two] = await Promise.all([startFakeVllm(), startFakeVllm()]);
  models += 1;
  model = `serving-${models}`;
  await seedModel(stage.db, model, { serving: { base_urls: [one.url, two.url], drain: '60s' } });
  await seedAdapterVersion(stage.db, stage.root, model, 2);
});
afterEach(async () => {
  await Promise.all([one.close(), two.close()]);
  // Reconciling looks at every model: those of earlier tests must not be there any more.
  await stage.db.pool.query('ALTER TABLE route_changes DISABLE TRIGGER route_changes_append_only');
  await stage.db.pool.query('TRUNCATE models CASCADE');
  await stage.db.pool.query('ALTER TABLE route_changes ENABLE TRIGGER route_changes_append_only');
});

const load = (version = 2) => loadVersion(stage.db, stage.store, noSecrets, { model, version });
const unload = (version = 2) => unloadVersion(stage.db, stage.store, noSecrets, { model, version });
const failure = (promise: Promise<unknown>): Promise<{ code: string; message: string }> =>
  promise.then(
    () => ({ code: 'no error', message: '' }),
    (error: unknown) => (error instanceof UnderstudyError ? error : { code: 'unexpected', message: String(error) }),
  );
const adapterFolder = async () => {
  const { adapterSha256 } = await stage.db.prisma.version.findUniqueOrThrow({
    where: { model_version: { model, version: 2 } },
  });
  return join(stage.root, 'adapters', adapterSha256!);
};

describe('loading a version', () => {
  test('loads the checked folder on every replica and asks each for an answer', async () => {
    await load();
    for (const replica of [one, two]) {
      expect([...replica.adapters]).toEqual([[`${model}-v2`, await adapterFolder()]]);
      expect(replica.asked.get(`${model}-v2`)).toBe(1);
    }
  });

  test('again loads nothing twice', async () => {
    await load();
    one.restart();
    await load();
    expect(one.actions).toEqual([`load ${model}-v2`, `load ${model}-v2`]);
    expect(two.actions).toEqual([`load ${model}-v2`]);
  });

  test('accepts "already been loaded" when another attempt was faster, and waits until that one is done', async () => {
    one.loadMs = 300;
    await Promise.all([load(), load(), load()]);
    expect(one.actions).toEqual([`load ${model}-v2`]);
  });

  test('of the base does nothing at all', async () => {
    await load(1);
    expect(one.requests).toEqual([]);
  });

  test('refuses a name that stands for another adapter', async () => {
    two.adapters.set(`${model}-v2`, '/somewhere/else');
    expect((await failure(load())).code).toBe('serving_refused');
  });

  test('refuses a rejected version, an unknown one and an unknown model', async () => {
    await seedAdapterVersion(stage.db, stage.root, model, 3, 'rejected', new Date());
    expect((await failure(load(3))).code).toBe('version_rejected');
    expect((await failure(load(9))).code).toBe('unknown_version');
    expect((await failure(loadVersion(stage.db, stage.store, noSecrets, { model: 'nobody', version: 1 }))).code).toBe(
      'unknown_model',
    );
  });

  test('touches no replica with an adapter that was changed or is gone', async () => {
    await writeFile(join(await adapterFolder(), 'adapter_config.json'), '{}');
    expect((await failure(load())).code).toBe('adapter_digest_mismatch');
    await rm(await adapterFolder(), { recursive: true });
    expect((await failure(load())).code).toBe('artifact_missing');
    expect([...one.requests, ...two.requests]).toEqual([]);
  });

  test('says that a replica is away, refuses, forgets, or cannot answer', async () => {
    two.refuseLoads = 'LoRA rank 4 is greater than max_lora_rank 2.';
    expect(await failure(load())).toMatchObject({
      code: 'serving_refused',
      message: expect.stringContaining('max_lora_rank'),
    });
    two.refuseLoads = undefined;
    two.forgetLoads = true;
    expect(await failure(load())).toMatchObject({
      code: 'serving_refused',
      message: expect.stringContaining('not listed'),
    });
    two.forgetLoads = false;
    two.answer = () => ({ status: 500, message: 'CUDA error' });
    expect(await failure(load())).toMatchObject({
      code: 'serving_unreachable',
      message: expect.stringContaining('HTTP 500'),
    });
    two.answer = () => 'yes';
    two.drop(1, 'before');
    expect((await failure(load())).code).toBe('serving_unreachable');
    await load();
  });

  test('says that something else than an adapter server answers', async () => {
    const other = await startHttpFake(() => ({ body: '<!doctype html>' }));
    await seedModel(stage.db, model, { serving: { base_urls: [other.url] } });
    expect((await failure(load())).code).toBe('serving_refused');
    await other.close();
  });

  test('sends the key that the policy refers to', async () => {
    const keys: (string | undefined)[] = [];
    const guarded = await startHttpFake((request) => {
      keys.push(request.headers.authorization);
      return { status: 401, body: { error: { message: 'Unauthorized' } } };
    });
    await seedModel(stage.db, model, { serving: { base_urls: [guarded.url], api_key: `\${SERVING_KEY}` } });
    const secrets = (reference: string | null) => (reference === `\${SERVING_KEY}` ? 'hidden' : undefined);
    const error = await failure(loadVersion(stage.db, stage.store, secrets, { model, version: 2 }));
    expect(keys).toEqual(['Bearer hidden']);
    expect(error).toMatchObject({ code: 'serving_refused', message: expect.not.stringContaining('hidden') });
    await guarded.close();
  });
});

describe('unloading a version', () => {
  test('takes it from every replica, whether it is there or not', async () => {
    await load();
    one.restart();
    expect(await unload()).toEqual({ unloaded: true });
    expect(await unload()).toEqual({ unloaded: true });
    expect([one.adapters.size, two.adapters.size]).toEqual([0, 0]);
  });

  test.each([
    ['champion', { champion: 2, previous: 1 }],
    ['previous', { champion: 3, previous: 2 }],
  ])('leaves the %s of the route alone', async (_role, route) => {
    await seedAdapterVersion(stage.db, stage.root, model, 3);
    await load();
    await seedRoute(stage.db, model, route);
    expect(await unload()).toEqual({ unloaded: false });
    expect(one.adapters.size).toBe(1);
  });

  test('loads it again when a route change came in between', async () => {
    await load();
    const { url } = two;
    const moving = await startHttpFake(async (request) => {
      // The other replica is told to unload while the route moves to the version.
      if (request.path.endsWith('unload_lora_adapter')) await seedRoute(stage.db, model, { champion: 2, previous: 1 });
      const answer = await fetch(`${url}${request.path}`, {
        method: request.method,
        headers: { 'content-type': 'application/json' },
        ...(request.method === 'POST' && { body: request.body.toString() }),
      });
      return { status: answer.status, body: await answer.json().catch(() => 'ok') };
    });
    await seedModel(stage.db, model, { serving: { base_urls: [one.url, moving.url] } });
    expect(await unload()).toEqual({ unloaded: false });
    expect([one.adapters.size, two.adapters.size]).toEqual([1, 1]);
    await moving.close();
  });

  test('says that a replica is away', async () => {
    await load();
    two.drop(1, 'before');
    expect((await failure(unload())).code).toBe('serving_unreachable');
  });
});

describe('reconciling', () => {
  const now = new Date();
  const pass = (asOf = now): Promise<Reconciliation> => reconcile(stage.db, stage.store, noSecrets, { asOf });

  test('loads what the route uses wherever it is missing, also after a restart', async () => {
    await seedAdapterVersion(stage.db, stage.root, model, 3);
    await seedRoute(stage.db, model, { champion: 3, previous: 2 });
    expect((await pass()).loaded).toHaveLength(4);
    one.restart();
    const again = await pass();
    expect(again.loaded.map(({ url, servedAs }) => [url, servedAs]).sort()).toEqual([
      [one.url, `${model}-v2`],
      [one.url, `${model}-v3`],
    ]);
    expect(await pass()).toEqual({ loaded: [], unloaded: [], failed: [] });
  });

  test('takes away what was retired longer ago than the drain time, and nothing else', async () => {
    await seedAdapterVersion(stage.db, stage.root, model, 3, 'rejected', new Date(now.getTime() - 61_000));
    await seedAdapterVersion(stage.db, stage.root, model, 4, 'archived', new Date(now.getTime() - 59_000));
    for (const name of ['v2', 'v3', 'v4', 'v9']) one.adapters.set(`${model}-${name}`, '/x');
    one.adapters.set('somebody-elses', '/x');
    const { unloaded, failed } = await pass();
    expect(unloaded).toEqual([{ url: one.url, servedAs: `${model}-v3` }]);
    expect(failed).toEqual([]);
    expect([...one.adapters.keys()]).toEqual([`${model}-v2`, `${model}-v4`, `${model}-v9`, 'somebody-elses']);
  });

  test('takes nothing away that a rollback is just loading, and nor does a cycle', async () => {
    await seedRoute(stage.db, model, { champion: 2, previous: 1 });
    await seedAdapterVersion(stage.db, stage.root, model, 3, 'archived', new Date(now.getTime() - 61_000));
    let meanwhile: Reconciliation | undefined;
    let unloading: Promise<unknown> | undefined;
    const loadThird = async () => {
      await load(3);
      // Loaded, and the route not yet on it.
      meanwhile = await pass();
      unloading = unload(3);
      await new Promise((resolve) => setTimeout(resolve, 200));
    };
    const by = { model, toVersion: 3, actor: 'alice', reason: 'better after all', requestId: 'r1' };
    await rollBack({ db: stage.db, loadVersion: loadThird }, by);
    expect((await readRoute(stage.db, model)).champion).toBe(3);
    expect(meanwhile).toMatchObject({ unloaded: [], failed: [] });
    expect(await unloading).toEqual({ unloaded: false });
    expect([...one.actions, ...two.actions]).not.toContain(`unload ${model}-v3`);
    expect([one, two].map(({ adapters }) => adapters.has(`${model}-v3`))).toEqual([true, true]);
  });

  test('looks after the other replicas when one is away or an adapter is damaged', async () => {
    await seedAdapterVersion(stage.db, stage.root, model, 3);
    await seedRoute(stage.db, model, { champion: 3, previous: 2 });
    await writeFile(join(await adapterFolder(), 'adapter_config.json'), '{}');
    await one.close();
    const { loaded, failed } = await pass();
    expect(loaded).toEqual([{ url: two.url, servedAs: `${model}-v3` }]);
    expect(failed.map(({ url, servedAs, error }) => [url, servedAs, (error as UnderstudyError).code])).toEqual(
      expect.arrayContaining([
        [one.url, null, 'serving_unreachable'],
        [two.url, `${model}-v2`, 'adapter_digest_mismatch'],
      ]),
    );
  });

  test('goes on until it is stopped', async () => {
    await seedRoute(stage.db, model, { champion: 2, previous: 1 });
    let passes = 0;
    const reconciler = startReconciler(stage.db, stage.store, noSecrets, { intervalMs: 10, onPass: () => passes++ });
    await expect.poll(() => two.adapters.size).toBe(1);
    two.restart();
    await expect.poll(() => two.adapters.size).toBe(1);
    await reconciler.stop();
    const after = passes;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(passes).toBe(after);
  });
});
