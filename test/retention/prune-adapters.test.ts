import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { rollBack } from '../../src/experiments/index.js';
import { showVersion } from '../../src/registry/index.js';
import { holdAdapter, pruneAdapters, releaseAdapter } from '../../src/retention/index.js';
import { readRoute } from '../../src/routing/index.js';
import { loadVersion } from '../../src/serving/index.js';
import { startShadow } from '../../src/shadow/index.js';
import { type FakeVllm, startFakeVllm } from '../support/fake-vllm.js';
import { seedTraining } from '../support/seed-training.js';
import { seedAdapterVersion, seedRoute } from '../support/seed-version.js';
import { noSecrets, openStage, type Stage, seedCycle, seedModel } from '../support/stage-fixtures.js';

const DAY = 86_400_000;
const later = (days: number) => new Date(Date.now() + days * DAY);

let stage: Stage;
let replica: FakeVllm;
let model: string;
let models = 0;
beforeAll(async () => {
  [stage, replica] = await Promise.all([openStage(), startFakeVllm()]);
});
afterAll(async () => {
  await stage.close();
  await replica.close();
});
beforeEach(() => {
  models += 1;
  model = `kept-${models}`;
});

/** A model with adapters 2 to `versions`; 2, 3, 4 were champion in turn, and 4 is. */
async function seeded(rule: object | null = { keep: 0, for: '1d' }, versions = 6): Promise<void> {
  await seedModel(stage.db, model, { serving: { base_urls: [replica.url] }, retention: { adapters: rule } });
  for (let version = 2; version <= versions; version++) {
    await seedAdapterVersion(stage.db, stage.root, model, version, 'archived', new Date());
  }
  for (const version of [2, 3, 4]) await seedRoute(stage.db, model, { champion: version, previous: version - 1 });
}

const prune = (dryRun = false, asOf = later(10)) =>
  pruneAdapters(stage.db, stage.store, { model, dryRun, actor: 'ann', asOf });
const droppedBy = async (...args: Parameters<typeof prune>) =>
  (await prune(...args)).dropped.map(({ version }) => version).sort();
const row = (version: number) =>
  stage.db.prisma.version.findUniqueOrThrow({ where: { model_version: { model, version } } });
const isThere = async (version: number) =>
  existsSync(join(stage.root, 'adapters', (await row(version)).adapterSha256!));
const deps = () => ({
  db: stage.db,
  loadVersion: (name: string, version: number) =>
    loadVersion(stage.db, stage.store, noSecrets, { model: name, version }),
});
const back = (toVersion: number) =>
  rollBack(deps(), { model, toVersion, actor: 'ann', reason: 'test', requestId: `to ${toVersion}` });

describe('pruning adapters', () => {
  it('drops nothing unless the policy says so', async () => {
    await seeded(null);
    expect(await prune(false, later(10_000))).toMatchObject({ dropped: [], kept: [], failed: [] });
  });

  it('drops files of what nothing needs, with a record that says by whom and under which rule', async () => {
    await seeded();
    const done = await prune();
    expect(done.failed).toEqual([]);
    expect(done.kept.map(({ version, why }) => [version, why]).sort()).toEqual([
      [2, 'where a second rollback leads'],
      [3, 'previous'],
      [4, 'champion'],
    ]);
    expect(done.dropped).toMatchObject([
      { version: 6, files: 'removed', bytes: expect.any(Number) },
      { version: 5, files: 'removed' },
    ]);
    for (const [version, there] of [
      [2, true],
      [3, true],
      [4, true],
      [5, false],
      [6, false],
    ] as const) {
      expect([version, await isThere(version)]).toEqual([version, there]);
    }
    expect(await showVersion(stage.db, model, 5)).toMatchObject({
      adapter_dropped_at: expect.any(String),
      adapter: { uri: expect.stringMatching(/^artifact:adapters\//) },
      adapter_drop: { actor: 'ann', reason: 'neither among the newest 0 nor used within 24h' },
    });
    expect(await prune()).toMatchObject({ dropped: [], swept: [] });
  });

  it('keeps the newest that may serve, and what was used lately', async () => {
    await seeded({ keep: 4, for: '20d' }, 8);
    await stage.db.prisma.version.updateMany({ where: { model, version: 7 }, data: { state: 'rejected' } });
    expect(await droppedBy(false, later(10))).toEqual([]);
    // 4, 3 and 2 were in the route last; of the others 8 is the newest that may serve.
    expect(await droppedBy(false, later(30))).toEqual([5, 6, 7]);
  });

  it('only says what it would do in a dry run', async () => {
    await seeded();
    expect(await prune(true)).toMatchObject({
      dry_run: true,
      dropped: [{ version: 6, files: 'kept' }, { version: 5 }],
    });
    expect([await isThere(5), (await row(5)).adapterDroppedAt]).toEqual([true, null]);
  });

  it('keeps what is under legal hold until the last hold is released', async () => {
    await seeded();
    const request = { model, version: 5, actor: 'ann', reason: 'case 17' };
    const first = await holdAdapter(stage.db, request);
    const second = await holdAdapter(stage.db, { ...request, reason: 'case 18' });
    expect(await droppedBy()).toEqual([6]);
    await expect(releaseAdapter(stage.db, request)).rejects.toMatchObject({ code: 'conflict' });
    expect(await releaseAdapter(stage.db, { ...request, hold: first.id })).toMatchObject({ left: [{ id: second.id }] });
    expect((await showVersion(stage.db, model, 5)).holds).toMatchObject([{ id: second.id, reason: 'case 18' }]);
    expect(await droppedBy()).toEqual([]);
    await releaseAdapter(stage.db, request);
    await expect(releaseAdapter(stage.db, request)).rejects.toMatchObject({ code: 'not_found' });
    expect(await droppedBy()).toEqual([5]);
    await expect(holdAdapter(stage.db, request)).rejects.toMatchObject({ code: 'adapter_dropped' });
    await expect(holdAdapter(stage.db, { ...request, version: 99 })).rejects.toMatchObject({ code: 'unknown_version' });
    await expect(holdAdapter(stage.db, { ...request, version: 4, reason: ' ' })).rejects.toMatchObject({
      code: 'invalid_option',
    });
  });

  it('keeps the candidate of a running cycle and a shadow', async () => {
    await seeded();
    const cycleId = await seedCycle(stage.db, model, new Date());
    await stage.db.prisma.cycle.update({ where: { id: cycleId }, data: { candidate: 6 } });
    const shadow = { model, version: 5, share: 0.1, endsAt: later(20), actor: 'ann', reason: 'test' };
    await startShadow({ db: stage.db, loadVersion: async () => {} }, shadow);
    expect(await droppedBy()).toEqual([]);
    expect(await droppedBy(false, later(21))).toEqual([5]);
    await expect(startShadow(deps(), { ...shadow, endsAt: later(40) })).rejects.toMatchObject({
      code: 'adapter_dropped',
    });
  });

  it('leaves files that another version has, and deletes them with the last one', async () => {
    await seeded();
    const { adapterUri, adapterSha256 } = await row(4);
    await stage.db.prisma.version.updateMany({ where: { model, version: 5 }, data: { adapterUri, adapterSha256 } });
    expect((await prune()).dropped).toMatchObject([
      { version: 6, files: 'removed' },
      { version: 5, files: 'shared' },
    ]);
    expect(await isThere(4)).toBe(true);
    await seedAdapterVersion(stage.db, stage.root, model, 7);
    for (const [champion, previous] of [
      [7, 3],
      [3, 7],
    ] as const)
      await seedRoute(stage.db, model, { champion, previous });
    expect(await droppedBy()).toEqual([2, 4]);
    expect(await isThere(5)).toBe(false);
  });

  it('leaves files while a job trains on the same base, which may make the same again', async () => {
    await seeded();
    const cycleId = await seedCycle(stage.db, model, new Date());
    await seedTraining(stage.db, { model, cycleId, asOf: new Date() }, { status: 'submitted' });
    expect((await prune()).dropped).toMatchObject([{ version: 6, files: 'training' }, { version: 5 }]);
    expect(await isThere(6)).toBe(true);
    await stage.db.prisma.cycle.update({ where: { id: cycleId }, data: { endedAt: new Date(), outcome: 'failed' } });
    expect((await prune()).swept).toHaveLength(2);
    expect(await isThere(6)).toBe(false);
  });

  it('that broke off between the record and the files is finished by the next pass', async () => {
    await seeded();
    const broken = { ...stage.store, remove: () => Promise.reject(Object.assign(new Error('disk'), { code: 'EIO' })) };
    const first = await pruneAdapters(stage.db, broken, { model, dryRun: false, actor: 'ann', asOf: later(10) });
    expect(first).toMatchObject({ dropped: [{ files: 'failed' }, { files: 'failed' }] });
    expect(first.failed).toContainEqual({ model, version: 6, detail: 'EIO' });
    expect(await isThere(6)).toBe(true);
    expect(await prune()).toMatchObject({ dropped: [], failed: [], swept: [expect.any(String), expect.any(String)] });
    expect([await isThere(5), await isThere(6)]).toEqual([false, false]);
  });
});

describe('a version whose adapter was dropped', () => {
  it('cannot be gone back to, loaded or put into the route, and the route stays', async () => {
    await seeded();
    await prune();
    await expect(back(5)).rejects.toMatchObject({ code: 'adapter_dropped', message: expect.stringContaining(model) });
    await expect(deps().loadVersion(model, 5)).rejects.toMatchObject({ code: 'adapter_dropped' });
    await expect(seedRoute(stage.db, model, { champion: 5, previous: 4 })).rejects.toThrow(
      /must not lead to a version/,
    );
    expect(await readRoute(stage.db, model)).toMatchObject({ champion: 4, previous: 3 });
  });

  it('is passed over when a rollback looks for what came before', async () => {
    await seeded();
    for (const [champion, previous] of [
      [5, 4],
      [6, 5],
    ] as const)
      await seedRoute(stage.db, model, { champion, previous });
    expect(await droppedBy()).toEqual([2, 3]);
    await back(5);
    expect(await readRoute(stage.db, model)).toMatchObject({ champion: 5, previous: 4 });
    await back(4);
    // Before 4 there was 3, before that 2: both are gone, and the base before them is there.
    expect(await readRoute(stage.db, model)).toMatchObject({ champion: 4, previous: 1 });
  });

  it('is kept when a rollback to it was faster, whichever comes first', async () => {
    await seeded({ keep: 0, for: '1d' }, 11);
    const rolledBack: number[] = [];
    for (const version of [5, 6, 7, 8, 9, 10, 11]) {
      const [moved] = await Promise.allSettled([back(version), prune()]);
      const route = await readRoute(stage.db, model);
      if (moved.status === 'fulfilled') {
        rolledBack.push(version);
        expect(route.champion).toBe(version);
      } else expect(moved.reason).toMatchObject({ code: 'adapter_dropped' });
      for (const inUse of [route.champion, route.previous]) {
        if (inUse !== null && inUse !== 1) expect([inUse, await isThere(inUse)]).toEqual([inUse, true]);
      }
    }
    for (const { version, adapterDroppedAt } of await stage.db.prisma.version.findMany({
      where: { model, kind: 'adapter' },
    }))
      expect([version, await isThere(version)]).toEqual([version, adapterDroppedAt === null]);
  });

  it('is recorded for ever', async () => {
    await seeded();
    await prune();
    await expect(stage.db.pool.query('DELETE FROM adapter_drops WHERE model = $1', [model])).rejects.toThrow(
      /append-only/,
    );
    await holdAdapter(stage.db, { model, version: 4, actor: 'ann', reason: 'case 17' });
    await expect(stage.db.pool.query('DELETE FROM version_holds WHERE model = $1', [model])).rejects.toThrow(
      /append-only/,
    );
  });
});
