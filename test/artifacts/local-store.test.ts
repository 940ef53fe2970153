import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ArtifactStore, createLocalStore } from '../../src/artifacts/index.js';
import { UnderstudyError } from '../../src/errors.js';

const sha256 = (content: string) => createHash('sha256').update(content).digest('hex');
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof UnderstudyError ? error.code : `unexpected ${String(error)}`),
  );

let root: string;
let store: ArtifactStore;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'understudy-store-'));
  store = createLocalStore(join(root, 'artifacts'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

describe('storing', () => {
  test('puts a set under the SHA-256 of its lines of digests and names, sorted by name', async () => {
    const stored = await store.putFiles('datasets', { 'b.jsonl': 'second', 'a.json': 'first' });
    const digest = sha256(`${sha256('first')}  a.json\n${sha256('second')}  b.jsonl\n`);
    expect(stored).toMatchObject({ uri: `artifact:datasets/${digest}`, digest });
    expect(await readFile(join(root, 'artifacts', 'datasets', digest, 'a.json'), 'utf8')).toBe('first');
    expect(await text(await store.open(`${stored.uri}/b.jsonl`))).toBe('second');
  });

  test('puts one file under the SHA-256 of its content, from pieces as from a whole', async () => {
    async function* pieces() {
      yield 'gol';
      yield new TextEncoder().encode('den');
    }
    const stored = await store.putFile('golden', pieces());
    expect(stored.uri).toBe(`artifact:golden/${sha256('golden')}`);
    expect((await store.putFile('golden', 'golden')).uri).toBe(stored.uri);
    expect(await text(await store.open(stored.uri))).toBe('golden');
  });

  test('stores the same set twice, also at once, without harm and without leaving drafts', async () => {
    const same = { 'train.jsonl': 'x'.repeat(600_000), 'manifest.json': '{}' };
    const all = await Promise.all(Array.from({ length: 4 }, () => store.putFiles('datasets', same)));
    expect(new Set(all.map(({ digest }) => digest)).size).toBe(1);
    expect(await readdir(join(root, 'artifacts', 'datasets'))).toEqual([all[0]!.digest]);
    expect(await readdir(join(root, 'artifacts', '.drafts'))).toEqual([]);
  });

  test('leaves nothing behind when the content breaks off', async () => {
    async function* broken() {
      yield 'half';
      throw new Error('source broke off');
    }
    await expect(store.putFiles('datasets', { 'train.jsonl': broken() })).rejects.toThrow('source broke off');
    expect(await readdir(join(root, 'artifacts'))).toEqual(['.drafts']);
    expect(await readdir(join(root, 'artifacts', '.drafts'))).toEqual([]);
  });

  test('a discarded draft cannot be seen and an appended one appears at once', async () => {
    const draft = await store.draft('datasets');
    await draft.append('a.txt', 'one ');
    await draft.append('a.txt', 'two');
    expect(await readdir(join(root, 'artifacts'))).toEqual(['.drafts']);
    const stored = await draft.commit();
    expect(await text(await store.open(`${stored.uri}/a.txt`))).toBe('one two');
    await draft.discard();
    expect((await store.verify(stored.uri)).digest).toBe(stored.digest);
  });

  test('refuses to take a set for stored when what lies under its digest was changed', async () => {
    const { digest } = await store.putFiles('datasets', { 'a.txt': 'right' });
    await writeFile(join(root, 'artifacts', 'datasets', digest, 'a.txt'), 'wrong');
    expect(await code(store.putFiles('datasets', { 'a.txt': 'right' }))).toBe('artifact_refused');
  });

  test('removes drafts of a day ago, which only a killed process leaves, and no younger ones', async () => {
    for (const name of ['old', 'young']) await mkdir(join(root, 'artifacts', '.drafts', name), { recursive: true });
    const before = new Date(Date.now() - 25 * 3_600_000);
    await utimes(join(root, 'artifacts', '.drafts', 'old'), before, before);
    await store.putFile('golden', 'x');
    expect(await readdir(join(root, 'artifacts', '.drafts'))).toEqual(['young']);
  });

  test.each(['../x', 'Datasets', '', 'a/b', '.drafts'])('refuses the kind %j', async (kind) => {
    expect(await code(store.putFile(kind, 'x'))).toBe('artifact_refused');
  });

  test.each(['../x', '.hidden', '', 'a/b', 'a\u0000b'])('refuses the file name %j', async (name) => {
    expect(await code(store.putFiles('datasets', { [name]: 'x' }))).toBe('artifact_refused');
  });
});

describe('finding', () => {
  const digest = 'a'.repeat(64);

  test.each([
    '../secret',
    '/etc/passwd',
    'golden/../../secret',
    'golden//x',
    '.drafts/x',
    'golden/.hidden',
    'golden\\..\\secret',
    '',
    'artifact:',
    `artifact:golden/../${digest}`,
    `artifact:golden/${digest}/../x`,
    `artifact:golden/${digest}/a/b`,
    `artifact:golden/${digest.toUpperCase()}`,
    `artifact:Golden/${digest}`,
    `artifact:golden/${digest}/`,
    `artifact:golden/${digest}\u0000`,
  ])('refuses the reference %j', async (reference) => {
    await store.putFile('golden', 'x');
    expect(await code(store.localPath(reference))).toBe('artifact_refused');
    expect(await code(store.open(reference))).toBe('artifact_refused');
  });

  test('finds a plain path below the root', async () => {
    await mkdir(join(root, 'artifacts', 'golden'), { recursive: true });
    await writeFile(join(root, 'artifacts', 'golden', 'support.jsonl'), 'rows');
    expect(await text(await store.open('golden/support.jsonl'))).toBe('rows');
  });

  test('says that something is missing', async () => {
    await store.putFile('golden', 'x');
    expect(await code(store.open(`artifact:golden/${digest}`))).toBe('artifact_missing');
    expect(await code(store.open('golden/nothing.jsonl'))).toBe('artifact_missing');
    expect(await code(createLocalStore(join(root, 'no-root')).open('golden/nothing.jsonl'))).toBe('artifact_missing');
  });

  test('refuses links, out of the root and within it, and folders on the way that are links', async () => {
    const { digest: real } = await store.putFile('golden', 'x');
    await writeFile(join(root, 'secret'), 'secret');
    await mkdir(join(root, 'outside'));
    await writeFile(join(root, 'outside', 'file'), 'secret');
    const golden = join(root, 'artifacts', 'golden');
    await symlink(join(root, 'secret'), join(golden, 'out'));
    await symlink(join(golden, real), join(golden, 'in'));
    await symlink(join(root, 'outside'), join(root, 'artifacts', 'elsewhere'));
    for (const reference of ['golden/out', 'golden/in', 'elsewhere/file']) {
      expect(await code(store.open(reference))).toBe('artifact_refused');
    }
  });

  test('allows a root that is itself reached through a link', async () => {
    await store.putFiles('datasets', { 'a.txt': 'x' });
    await symlink(join(root, 'artifacts'), join(root, 'alias'));
    const alias = createLocalStore(join(root, 'alias'));
    const { uri } = await alias.putFiles('datasets', { 'a.txt': 'x' });
    expect((await alias.verify(uri)).uri).toBe(uri);
  });
});

describe('verifying', () => {
  test('notices a changed, an added and a removed file, and a link among them', async () => {
    for (const change of [
      (folder: string) => writeFile(join(folder, 'a.txt'), 'changed'),
      (folder: string) => writeFile(join(folder, 'c.txt'), 'added'),
      (folder: string) => rm(join(folder, 'b.txt')),
      (folder: string) => symlink('/etc/hostname', join(folder, 'd.txt')),
    ]) {
      const fresh = createLocalStore(await mkdtemp(join(root, 'fresh-')));
      const { uri } = await fresh.putFiles('datasets', { 'a.txt': 'a', 'b.txt': 'b' });
      expect((await fresh.verify(uri)).files).toHaveLength(2);
      await change(await fresh.localPath(uri));
      expect(await code(fresh.verify(uri))).toBe('artifact_refused');
    }
  });
});

describe('removing', () => {
  test('takes a set or a file away whole, knows its size before, and nothing of it after', async () => {
    const set = await store.putFiles('adapters', { 'a.json': 'first', 'b.bin': 'second' });
    const file = await store.putFile('golden', 'golden');
    expect([await store.bytesOf(set.uri), await store.bytesOf(file.uri)]).toEqual([11, 6]);
    const results = await Promise.all([store.remove(set.uri), store.remove(set.uri), store.remove(file.uri)]);
    expect(results.filter(Boolean)).toHaveLength(2);
    expect(await store.remove(set.uri)).toBe(false);
    expect(await store.bytesOf(set.uri)).toBeNull();
    expect(await code(store.open(`${set.uri}/a.json`))).toBe('artifact_missing');
    expect(await readdir(join(root, 'artifacts', '.drafts'))).toEqual([]);
    expect((await store.putFiles('adapters', { 'a.json': 'first', 'b.bin': 'second' })).uri).toBe(set.uri);
  });

  test('refuses plain paths and single files of a set', async () => {
    const set = await store.putFiles('adapters', { 'a.json': 'first' });
    for (const reference of ['golden/support.jsonl', `${set.uri}/a.json`, '../elsewhere', 'artifact:adapters'])
      expect([reference, await code(store.remove(reference))]).toEqual([reference, 'artifact_refused']);
    expect(await store.bytesOf(set.uri)).toBe(5);
  });
});
