import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createLocalStore, importAdapter } from '../../src/artifacts/index.js';
import { UnderstudyError } from '../../src/errors.js';
import { adoptVersion, applyModel, registerExternal, retireVersion, showVersion } from '../../src/registry/index.js';
import { openStage, policyDocument, type Stage, seedCycle } from '../support/stage-fixtures.js';
import { writeTinyAdapter } from '../support/tiny-adapter.js';

let stage: Stage;
let folder: string;
let model: string;
let models = 0;
beforeAll(async () => {
  stage = await openStage();
  folder = await mkdtemp(path.join(os.tmpdir(), 'understudy-external-'));
});
afterAll(async () => {
  await stage.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  models += 1;
  model = `external-${models}`;
  await applyModel(stage.db, policyDocument(model), { actor: 'ann' });
});

const by = { actor: 'ada', reason: 'from the other team' };
const remote = (servedAs: string) => registerExternal(stage.db, { model, source: { kind: 'remote', servedAs }, ...by });
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof UnderstudyError ? error.code : `unexpected ${String(error)}`),
  );

/** A folder as PEFT leaves it: the two files, and more. */
async function adapterFolder(baseModel: string): Promise<string> {
  const elsewhere = await mkdtemp(path.join(folder, 'elsewhere-'));
  const { uri } = await writeTinyAdapter(elsewhere, { baseModel, rank: 4, seed: model });
  const made = path.join(elsewhere, uri.replace('artifact:', ''));
  await writeFile(path.join(made, 'README.md'), 'a model card');
  await writeFile(path.join(made, 'training_args.bin'), 'a pickle');
  return made;
}

test('a remote model becomes a version of its own base, once, and says who brought it', async () => {
  expect(await remote('gpt-x')).toEqual({ version: 2, label: '2.0.0', servedAs: 'gpt-x', known: false });
  expect(await remote('gpt-x')).toMatchObject({ version: 2, known: true });
  const record = await showVersion(stage.db, model, 2);
  expect(record).toMatchObject({ kind: 'remote', state: 'candidate', served_as: 'gpt-x', base_model: 'gpt-x' });
  expect(record.registered).toEqual(by);
  expect((await showVersion(stage.db, model, 1)).registered).toBe(null);
  // Rejected once; what answers under the id may be something else by now.
  await retireVersion(stage.db, { model, version: 2, state: 'rejected', asOf: new Date() });
  expect(await remote('gpt-x')).toMatchObject({ version: 3, label: '2.1.0', known: false });
  expect(await code(remote('base'))).toBe('conflict');
  const nobody = { model: 'nobody', source: { kind: 'remote', servedAs: 'x' }, ...by } as const;
  expect(await code(registerExternal(stage.db, nobody))).toBe('unknown_model');
});

test('an adapter is taken into the store, checked, and becomes a version, once', async () => {
  const store = createLocalStore(path.join(folder, 'artifacts'));
  const adapter = await importAdapter(store, await adapterFolder('tiny/base'));
  expect((await store.verify(adapter.uri)).files.map(({ name }) => name).sort()).toEqual([
    'adapter_config.json',
    'adapter_model.safetensors',
  ]);
  const register = () => registerExternal(stage.db, { model, source: { kind: 'adapter', ...adapter }, ...by });
  const all = await Promise.all([register(), register(), register()]);
  expect(all.map(({ version, label }) => [version, label])).toEqual(Array(3).fill([2, '1.1.0']));
  expect(all.filter(({ known }) => !known)).toHaveLength(1);
  expect(all[0]!.servedAs).toBe(`${model}-v2`);
});

test('an adapter for another base, or one that is none, is refused', async () => {
  const store = createLocalStore(path.join(folder, 'artifacts'));
  const other = await importAdapter(store, await adapterFolder('other/base'));
  const source = { kind: 'adapter', ...other } as const;
  expect(await code(registerExternal(stage.db, { model, source, ...by }))).toBe('adapter_base_mismatch');
  const broken = await adapterFolder('tiny/base');
  await writeFile(path.join(broken, 'adapter_model.safetensors'), 'a pickle');
  expect(await code(importAdapter(store, broken))).toBe('adapter_refused');
  expect(await code(importAdapter(store, folder))).toBe('adapter_refused');
});

test('a cycle takes a version as its candidate, from the archive too, but not its champion', async () => {
  await remote('gpt-x');
  await retireVersion(stage.db, { model, version: 2, state: 'archived', asOf: new Date() });
  const cycleId = await seedCycle(stage.db, model, new Date());
  const adopted = { version: 2, label: '2.0.0', servedAs: 'gpt-x' };
  expect(await adoptVersion(stage.db, { cycleId, version: 2 })).toEqual(adopted);
  expect(await adoptVersion(stage.db, { cycleId, version: 2 })).toEqual(adopted);
  expect(await showVersion(stage.db, model, 2)).toMatchObject({ state: 'candidate', retired_at: null });
  expect(await stage.db.prisma.cycle.findUniqueOrThrow({ where: { id: cycleId } })).toMatchObject({ candidate: 2 });
  expect(await code(adoptVersion(stage.db, { cycleId, version: 1 }))).toBe('conflict');
  expect(await code(adoptVersion(stage.db, { cycleId, version: 9 }))).toBe('unknown_version');
  await retireVersion(stage.db, { model, version: 2, state: 'rejected', asOf: new Date() });
  expect(await code(adoptVersion(stage.db, { cycleId, version: 2 }))).toBe('version_rejected');
});
