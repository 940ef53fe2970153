import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { decompress } from 'fzstd';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createDb, type Db } from '../../src/db/index.js';
import { type ExportRequest, runExport } from '../../src/exporting/index.js';
import { runImport } from '../../src/importing/index.js';
import { hashSubject, storeCaptured, storeFeedback, storeInteractions } from '../../src/interactions/index.js';
import { applyModel } from '../../src/registry/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

// Thousands of rows go through them, on a machine that may do other things.
vi.setConfig({ testTimeout: 180_000 });

const KEY = 'a key of the tests, long enough';
const EXPERIMENT = '6b1f1f0e-95d1-4a3c-8a57-2f4d2a7d9a10';

let databases: TestDatabase[];
let db: Db;
let elsewhere: Db;
let folder: string;
beforeAll(async () => {
  databases = [await createTestDatabase(), await createTestDatabase()];
  [db, elsewhere] = databases.map(({ url }) => createDb(url)) as [Db, Db];
  const upstream = { base_url: 'http://127.0.0.1:9/v1', model: 'base' };
  for (const each of [db, elsewhere])
    for (const name of ['desk', 'other'])
      await applyModel(each, { name, base_model: 'tiny', upstream }, { actor: 'test' });
});
afterAll(async () => {
  await db?.close();
  await elsewhere?.close();
  for (const database of databases) await database.drop();
});
beforeEach(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'understudy-export-'));
  for (const each of [db, elsewhere]) await each.pool.query('TRUNCATE interactions, feedback, imports');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const request = (content: string) => ({ user: 'user-17', messages: [{ role: 'user', content }] });
const response = { choices: [{ index: 0, message: { role: 'assistant', content: 'Under way. 🚚' } }] };

/** Interactions that came in by every door, with feedback of every age. */
async function seed(): Promise<void> {
  await storeInteractions(db, KEY, [
    {
      external_id: 'posted',
      timestamp: '2026-11-01T12:00:00Z',
      model: 'desk',
      session: 's-9',
      request: request('Where is my parcel?'),
      response,
      latency_ms: 41.7,
      tags: { locale: 'en' },
      feedback: [
        { kind: 'thumbs', value: -1 },
        { kind: 'correction', value: 'On Friday.' },
      ],
    },
    { external_id: 'foreign', timestamp: '2026-11-01T12:00:00Z', model: 'other', request: request('Not this one.') },
  ]);
  const captured = {
    model: 'desk',
    subject: hashSubject(KEY, 'user-18'),
    session: null,
    experimentId: EXPERIMENT,
    version: 2,
    request: { messages: [{ role: 'user', content: 'And mine?' }] },
    latencyMs: 12.4,
  };
  await storeCaptured(db, [
    {
      ...captured,
      id: '019a3f00-0000-7000-8000-000000000001',
      askedAt: new Date('2026-11-02T12:00:00Z'),
      arm: 'challenger',
      assignedVersion: 2,
      status: 'complete',
      response,
      tags: { 'understudy.fallback': 'true' },
    },
    {
      ...captured,
      id: '019a3f00-0000-7000-8000-000000000002',
      askedAt: new Date('2026-11-03T12:00:00Z'),
      arm: 'champion',
      assignedVersion: 1,
      status: 'incomplete',
      response,
      tags: {},
    },
    {
      ...captured,
      id: '019a3f00-0000-7000-8000-000000000003',
      askedAt: new Date('2026-11-04T12:00:00Z'),
      arm: 'champion',
      assignedVersion: 1,
      status: 'failed',
      response: null,
      tags: {},
    },
  ]);
  const feedback = { id: '019a3f10-0000-7000-8000-000000000001', interaction: '019a3f00-0000-7000-8000-000000000001' };
  await storeFeedback(db, [
    { ...feedback, kind: 'rating', value: 4, min: 1, max: 5, source: 'reviewer' },
    { ...feedback, id: '019a3f10-0000-7000-8000-000000000002', kind: 'copied', choice_index: 0 },
    { model: 'desk', external_id: 'posted', kind: 'comment', value: 'Late.' },
  ]);
  await storeFeedback(db, [{ id: '019a3f10-0000-7000-8000-000000000002', retracted: true }]);
}

const exportTo = (name: string, filter: Partial<ExportRequest['filter']> = {}) =>
  runExport(db, { filter: { model: 'desk', ...filter }, out: path.join(folder, name) }, () => undefined);

async function exported(filter: Partial<ExportRequest['filter']> = {}): Promise<Record<string, unknown>[]> {
  await exportTo('exported.jsonl', filter);
  const text = readFileSync(path.join(folder, 'exported.jsonl'), 'utf8');
  return text === ''
    ? []
    : text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('an export', () => {
  it('has the records of the model, oldest first, with hashes for subjects and what clients cannot set', async () => {
    await seed();
    const rows = await exported();
    expect(rows).toHaveLength(4);
    expect(rows[0]).toMatchObject({
      external_id: 'posted',
      timestamp: '2026-11-01T12:00:00.000Z',
      model: 'desk',
      subject: hashSubject(KEY, 'user-17'),
      status: 'complete',
      feedback: [{ kind: 'thumbs', value: -1 }, { kind: 'correction', value: 'On Friday.' }, { kind: 'comment' }],
    });
    expect(rows[1]).toMatchObject({ experiment: EXPERIMENT, arm: 'challenger', assigned_version: 2, version: 2 });
    expect(rows[1]!.feedback).toMatchObject([
      { kind: 'rating', source: 'reviewer' },
      { kind: 'copied', retracted: true },
    ]);
    expect(rows.map(({ status }) => status)).toEqual(['complete', 'complete', 'incomplete', 'failed']);
    expect(JSON.stringify(rows)).not.toContain('user-17');
  });

  it('can be restricted by time, version, experiment, arm and status', async () => {
    await seed();
    const names = async (filter: Partial<ExportRequest['filter']>) =>
      (await exported(filter)).map(({ timestamp }) => String(timestamp).slice(8, 10));
    expect(await names({ from: new Date('2026-11-02T12:00:00Z'), to: new Date('2026-11-04T12:00:00Z') })).toEqual([
      '02',
      '03',
    ]);
    expect(await names({ version: 2 })).toEqual(['02', '03', '04']);
    expect(await names({ experiment: EXPERIMENT, arm: 'champion' })).toEqual(['03', '04']);
    expect(await names({ status: 'failed' })).toEqual(['04']);
    expect(await names({ arm: 'holdback' })).toEqual([]);
  });

  it('is packed as the name of the file says', async () => {
    await seed();
    await exported();
    const plain = readFileSync(path.join(folder, 'exported.jsonl'));
    await exportTo('packed.jsonl.gz');
    await exportTo('packed.jsonl.zst');
    expect(gunzipSync(readFileSync(path.join(folder, 'packed.jsonl.gz')))).toEqual(plain);
    expect(Buffer.from(decompress(readFileSync(path.join(folder, 'packed.jsonl.zst'))))).toEqual(plain);
  });

  it('leaves no file when it is stopped, and refuses an unknown model', async () => {
    await seed();
    const out = path.join(folder, 'stopped.jsonl');
    const stopped = await runExport(
      db,
      { filter: { model: 'desk' }, out, signal: AbortSignal.abort() },
      () => undefined,
    );
    expect(stopped.interrupted).toBe(true);
    await expect(exportTo('nobody.jsonl', { model: 'nobody' })).rejects.toMatchObject({ code: 'unknown_model' });
    await expect(exportTo(path.join('no', 'folder.jsonl'))).rejects.toMatchObject({ code: 'invalid_option' });
    await expect(exportTo(path.join('no', 'folder.parquet'))).rejects.toMatchObject({ code: 'invalid_option' });
    expect(readdirSync(folder)).toEqual([]);
    expect(existsSync(out)).toBe(false);
  });

  it('as Parquet is read by another reader, row group by row group', async () => {
    const many = Array.from({ length: 6_000 }, (_, row) => ({
      external_id: `row-${row}`,
      timestamp: new Date(Date.UTC(2026, 10, 1) + row * 1_000).toISOString(),
      model: 'desk',
      request: request(`Question ${row}?`),
      response,
      ...(row % 3 === 0 && { version: 1, latency_ms: row, feedback: [{ kind: 'thumbs', value: 1 }] }),
    }));
    for (let from = 0; from < many.length; from += 2_000)
      await storeInteractions(db, KEY, many.slice(from, from + 2_000));
    const result = await exportTo('rows.parquet');
    expect(result).toMatchObject({ format: 'parquet', interactions: 6_000, feedback: 2_000 });
    const file = await asyncBufferFromFile(path.join(folder, 'rows.parquet'));
    expect((await parquetMetadataAsync(file)).row_groups.map(({ num_rows: rows }) => Number(rows))).toEqual([
      5_000, 1_000,
    ]);
    const rows = await parquetReadObjects({ file });
    const lines = await exported();
    expect(rows).toHaveLength(6_000);
    const given = rows.map((row) => ({
      ...Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null && value !== undefined)),
      timestamp: (row.timestamp as Date).toISOString(),
    }));
    // Not with the matcher, which takes a minute to find no difference.
    expect(given.findIndex((row, index) => !isDeepStrictEqual(row, lines[index]))).toBe(-1);
  });
});

describe('an export that is imported', () => {
  const imported = (target: Db, file = 'exported.jsonl') =>
    runImport({ db: target, subjectKey: KEY }, { file: path.join(folder, file) });

  it('changes nothing in the database it came from', async () => {
    await seed();
    const before = await exported();
    expect((await imported(db)).counts).toMatchObject({ lines: 4, stored: 0, duplicate: 4, conflict: 0, invalid: 0 });
    expect(await exported()).toEqual(before);
  });

  it('is the same in another database, but for the experiment; subjects are not hashed twice', async () => {
    await seed();
    const before = await exported();
    expect((await imported(elsewhere)).counts).toMatchObject({ lines: 4, stored: 4, invalid: 0 });
    expect((await imported(elsewhere)).counts).toMatchObject({ stored: 0, duplicate: 4 });
    await runExport(elsewhere, { filter: { model: 'desk' }, out: path.join(folder, 'again.jsonl') }, () => undefined);
    const after = readFileSync(path.join(folder, 'again.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const sorted = (rows: Record<string, unknown>[]) =>
      rows.map(({ experiment: _e, arm: _a, assigned_version: _v, feedback, ...row }) => ({
        ...row,
        feedback: ((feedback ?? []) as { id: string }[]).toSorted((a, b) => (a.id < b.id ? -1 : 1)),
      }));
    expect(sorted(after)).toEqual(sorted(before));
    expect(after.some(({ arm }) => arm !== undefined)).toBe(false);
    // What was exported is found again when it is sent once more as it was first.
    const resent = {
      external_id: 'posted',
      timestamp: '2026-11-01T12:00:00Z',
      model: 'desk',
      session: 's-9',
      request: request('Where is my parcel?'),
      response,
      latency_ms: 41.7,
      tags: { locale: 'en' },
      feedback: [
        { kind: 'thumbs', value: -1 },
        { kind: 'correction', value: 'On Friday.' },
      ],
    };
    expect(await storeInteractions(elsewhere, KEY, [resent])).toMatchObject([{ status: 'duplicate' }]);
  });

  it('is refused where it was changed into something no database can have had', async () => {
    await seed();
    const [first] = await exported();
    const changed = [
      { ...first, subject: 'user-17' },
      { ...first, status: 'complete', response: undefined },
      { ...first, id: '6b1f1f0e-95d1-4a3c-8a57-2f4d2a7d9a10' },
      { ...first, digest: '00' },
      { ...first, note: 'mine' },
    ];
    writeFileSync(path.join(folder, 'changed.jsonl'), changed.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const { counts } = await imported(db, 'changed.jsonl');
    expect(counts).toMatchObject({ lines: 5, stored: 0, duplicate: 0, invalid: 4, conflict: 1 });
  });

  it('is not taken by the API, which lets nobody set a status or send a hash for a subject', async () => {
    await seed();
    const results = await storeInteractions(elsewhere, KEY, await exported());
    expect(results.map(({ status }) => status)).toEqual(['invalid', 'invalid', 'invalid', 'invalid']);
  });
});
