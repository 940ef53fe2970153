import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createDb, type Db } from '../../src/db/index.js';
import { createZstd } from '../../src/exporting/zstd.js';
import { FORMATS, type FormatName } from '../../src/formats/index.js';
import { type ImportRequest, runImport } from '../../src/importing/index.js';
import { applyModel } from '../../src/registry/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

// Thousands of rows go through them, on a machine that may do other things.
vi.setConfig({ testTimeout: 180_000 });

const KEY = 'a key of the tests, long enough';

let database: TestDatabase;
let db: Db;
let folder: string;
beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(database.url);
  const upstream = { base_url: 'http://127.0.0.1:9/v1', model: 'base' };
  await applyModel(db, { name: 'desk', base_model: 'tiny', upstream }, { actor: 'test' });
});
afterAll(async () => {
  await db?.close();
  await database?.drop();
});
beforeEach(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'understudy-import-'));
  await db.pool.query('TRUNCATE interactions, feedback, imports');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const record = (name: string) =>
  `${JSON.stringify({
    external_id: name,
    timestamp: '2026-11-01T12:00:00Z',
    model: 'desk',
    request: { messages: [{ role: 'user', content: 'Where is my parcel?' }] },
    response: { choices: [{ index: 0, message: { role: 'assistant', content: 'Under way.' } }] },
  })}\n`;

function fileOf(name: string, content: string | Buffer): string {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  return file;
}

const run = (file: string, options: Partial<ImportRequest> = {}) =>
  runImport({ db, subjectKey: KEY }, { file, ...options });

async function count(): Promise<number> {
  return db.prisma.interaction.count();
}

/** A pool that stops answering for good after so many connections were taken from it. */
function failingAfter(connections: number): Pick<Db, 'pool'> {
  let taken = 0;
  const pool = new Proxy(db.pool, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      if (name !== 'connect') return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      return () => {
        taken += 1;
        return taken > connections ? Promise.reject(new Error('the database is gone')) : target.connect();
      };
    },
  });
  return { pool };
}

describe('an interrupted import', () => {
  const rows = Array.from({ length: 20_000 }, (_, row) => record(`row-${row}`));

  it('goes on where a signal stopped it, and then is forgotten', async () => {
    const file = fileOf('signal.jsonl', rows.join(''));
    const stop = new AbortController();
    let looks = 0;
    const listener = {
      progress: (read: () => { lines: number }) => {
        const timer = setInterval(() => {
          looks += 1;
          if (read().lines < 3_000) return;
          clearInterval(timer);
          stop.abort();
        }, 1);
      },
    };
    const first = await runImport({ db, subjectKey: KEY }, { file, signal: stop.signal }, listener);
    expect(first.interrupted).toBe(true);
    expect(looks).toBeGreaterThan(0);
    const reached = first.counts.lines;
    expect(reached).toBeGreaterThan(0);
    expect(reached).toBeLessThan(20_000);
    expect(await count()).toBe(reached);
    const second = await run(file);
    expect(second).toMatchObject({ resumed_after: reached, interrupted: false });
    expect(second.counts).toMatchObject({ lines: 20_000, stored: 20_000, duplicate: 0 });
    expect(await count()).toBe(20_000);
    expect((await run(file)).resumed_after).toBe(0);
  });

  it('goes on where the database went away, with the rejects of before', async () => {
    const lines = rows.slice(0, 10_000);
    lines[10] = 'no JSON\n';
    lines[9_990] = 'no JSON either\n';
    const file = fileOf('gone.jsonl', lines.join(''));
    await expect(runImport({ db: failingAfter(4), subjectKey: KEY }, { file, connections: 2 })).rejects.toThrow('gone');
    const stored = await count();
    expect(stored).toBeGreaterThanOrEqual(3_999);
    expect(stored).toBeLessThan(10_000);
    const second = await run(file);
    expect(second.resumed_after).toBeGreaterThan(0);
    expect(second.counts).toMatchObject({ lines: 10_000, invalid: 2 });
    expect(second.counts.stored + second.counts.duplicate).toBe(9_998);
    expect(await count()).toBe(9_998);
    const rejects = readFileSync(`${file}.rejects.jsonl`, 'utf8').trim().split('\n');
    expect(rejects.map((line) => (JSON.parse(line) as { line: number }).line)).toEqual([11, 9_991]);
  });

  it('starts anew when the file has changed, or when it is told to', async () => {
    const file = fileOf('changed.jsonl', rows.slice(0, 8_000).join(''));
    const failed = () => runImport({ db: failingAfter(2), subjectKey: KEY }, { file, connections: 1 });
    await expect(failed()).rejects.toThrow('gone');
    expect((await run(file, { restart: true })).resumed_after).toBe(0);
    await db.pool.query('TRUNCATE interactions');
    await expect(failed()).rejects.toThrow('gone');
    appendFileSync(file, record('one more'));
    expect(await run(file)).toMatchObject({ resumed_after: 0, counts: { lines: 8_001 } });
    expect(await count()).toBe(8_001);
  });
});

describe('what is packed', () => {
  const rows = Array.from({ length: 3_000 }, (_, row) => record(`packed-${row}`)).join('');

  it('is unpacked, gzip and zstd, of one frame and of several', async () => {
    const packed: Buffer[] = [];
    await pipeline(Readable.from([Buffer.from(rows), Buffer.from(rows)]), await createZstd(), async (chunks) => {
      for await (const chunk of chunks as AsyncIterable<Buffer>) packed.push(chunk);
    });
    const zstd = Buffer.concat(packed);
    expect(zstd.length).toBeLessThan(rows.length / 4);
    for (const content of [gzipSync(rows), zstd, Buffer.concat([zstd, zstd])]) {
      const { counts } = await run(fileOf('packed', content));
      expect(counts.stored + counts.duplicate).toBe(counts.lines);
    }
    expect(await count()).toBe(3_000);
  });

  it('is refused as a file when it is cut off or goes on with something else', async () => {
    const packed: Buffer[] = [];
    await pipeline(Readable.from([Buffer.from(rows)]), await createZstd(), async (chunks) => {
      for await (const chunk of chunks as AsyncIterable<Buffer>) packed.push(chunk);
    });
    const zstd = Buffer.concat(packed);
    for (const content of [
      zstd.subarray(0, zstd.length - 20),
      Buffer.concat([zstd, Buffer.from('something else, not packed')]),
    ])
      await expect(run(fileOf('cut', content))).rejects.toMatchObject({ code: 'invalid_option' });
  });
});

describe('a dry run', () => {
  it('says what would be refused and stores nothing', async () => {
    const file = fileOf('dry.jsonl', `${record('dry-1')}{}\n${record('dry-2')}`);
    const { counts, first_problem } = await runImport(undefined, { file });
    expect(counts).toMatchObject({ lines: 3, valid: 2, invalid: 1, stored: 0 });
    expect(first_problem).toMatchObject({ line: 2 });
    expect(existsSync(`${file}.rejects.jsonl`)).toBe(true);
    expect(await count()).toBe(0);
  });
});

describe('JSON that is one array', () => {
  it('is read an element at a time', async () => {
    const rows = Array.from({ length: 2_500 }, (_, row) => record(`element-${row}`).trim());
    const { counts } = await run(fileOf('array.json', `\ufeff[\n  ${rows.join(',\n  ')}\n]\n`));
    expect(counts).toMatchObject({ lines: 2_500, stored: 2_500, invalid: 0 });
  });
});

describe('any line', () => {
  it('is stored or refused, and never ends the import', async () => {
    const file = path.join(folder, 'fuzz.jsonl');
    const keys = [
      'id',
      'type',
      'request',
      'response',
      'messages',
      'timestamp',
      'traceId',
      'observations',
      'scores',
      'input',
      'output',
      'function_name',
      'variant_name',
      'episode_id',
      'target_id',
      'inference_id',
      'value',
      'metric_name',
      'name',
      'data_type',
      '_source',
      'workload_id',
      'status',
      'digest',
      'feedback',
      'model',
      'external_id',
      'startTime',
      'tags',
    ];
    const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        fc.jsonValue(),
        fc.constantFrom(
          'GENERATION',
          'BOOLEAN',
          '{"messages":[]}',
          '[{"type":"text"}]',
          1_793_534_400,
          '2026-11-01 12:00:00',
          '019a3f00-0000-7000-8000-000000000001',
          'assistant',
          'desk',
          '\ud800',
          '\0',
        ),
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...keys, 'role', 'content', 'choices', 'message'), tie('tree'), { maxKeys: 8 }),
      ),
    }));
    const line = fc.oneof(
      tree.map((value) => JSON.stringify(value)),
      fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\n', ' ')),
    );
    const lines = [
      ...fc.sample(line, { numRuns: 1_500, seed: 7 }),
      `{"request":${'['.repeat(50_000)}${']'.repeat(50_000)}}`,
      `{"messages":${'{"messages":'.repeat(20_000)}1${'}'.repeat(20_000)}}`,
    ];
    for (const format of Object.keys(FORMATS) as FormatName[]) {
      writeFileSync(file, lines.map((text) => `${text}\n`).join(''));
      const { counts } = await run(file, { format, model: 'desk', restart: true });
      expect({ format, lines: counts.lines }).toEqual({ format, lines: lines.length });
    }
  });
});
