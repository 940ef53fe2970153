import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from '#setup/toolchain.mjs';
import { createDb, type Db } from '../../src/db/index.js';
import { type ImportRequest, runImport } from '../../src/importing/index.js';
import { hashSubject } from '../../src/interactions/index.js';
import { applyModel } from '../../src/registry/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const KEY = 'a key of the tests, long enough';
const FIXTURES = path.join(ROOT, 'test', 'fixtures', 'importing');
const { Database } = createRequire(import.meta.url)('node-sqlite3-wasm') as typeof import('node-sqlite3-wasm');

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
  folder = mkdtempSync(path.join(os.tmpdir(), 'understudy-formats-'));
  await db.pool.query('TRUNCATE interactions, feedback, imports');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Imports a fixture; its rejects are read back. */
async function imported(fixture: string, options: Partial<ImportRequest> = {}) {
  const rejects = path.join(folder, 'rejects.jsonl');
  const file = path.isAbsolute(fixture) ? fixture : path.join(FIXTURES, fixture);
  const result = await runImport({ db, subjectKey: KEY }, { file, rejects, ...options });
  const refused = readFileSync(rejects, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { line: number; reason: string });
  return { ...result, refused };
}

interface Stored {
  external_id: string;
  asked_at: Date;
  subject: string | null;
  session: string | null;
  status: string;
  request: Record<string, unknown>;
  response: Record<string, unknown> | null;
  latency_ms: number | null;
  prompt_tokens: number | null;
  tags: Record<string, string>;
  feedback: Record<string, unknown>[];
}

/** What is stored, with the feedback about it, in the order in which it was asked. */
async function stored(): Promise<Stored[]> {
  const { rows } = await db.pool.query<Stored>(
    `SELECT i.*, coalesce((SELECT json_agg(f.body || jsonb_build_object('kind', f.kind, 'source', f.source) ORDER BY f.given_at, f.kind)
       FROM feedback f WHERE f.interaction_id = i.id), '[]') AS feedback FROM interactions i ORDER BY asked_at, external_id`,
  );
  return rows;
}

const answerOf = ({ response }: Stored) =>
  (response?.choices as { message: Record<string, unknown> }[] | undefined)?.[0]?.message;
const user = (content: string) => ({ role: 'user', content });

describe('records', () => {
  it('are stored with their feedback; a line that is none is refused with its number and reason', async () => {
    const { format, counts, refused } = await imported('records.jsonl');
    expect(format).toBe('records');
    expect(counts).toMatchObject({ lines: 5, stored: 2, duplicate: 0, invalid: 3, conflict: 0 });
    expect(refused.map(({ line }) => line)).toEqual([3, 4, 5]);
    expect(refused[2]?.reason).toContain('status');
    const [first, second] = await stored();
    expect(first).toMatchObject({ external_id: 'a-1', subject: hashSubject(KEY, 'user-17'), session: 's-9' });
    expect(first!.feedback.map(({ kind }) => kind).toSorted()).toEqual(['correction', 'thumbs']);
    expect(second).toMatchObject({ external_id: 'a-2', status: 'complete', feedback: [] });
  });

  it('come under another model when one is named', async () => {
    await expect(imported('records.jsonl', { model: 'nobody' })).resolves.toMatchObject({
      counts: { stored: 0, invalid: 5 },
    });
  });
});

describe('OpenAI pairs', () => {
  it('were asked at response.created, and find themselves again without an id', async () => {
    const { format, counts, refused } = await imported('openai.jsonl', { model: 'desk' });
    expect(format).toBe('openai');
    expect(counts).toMatchObject({ lines: 3, stored: 2, invalid: 1 });
    expect(refused).toEqual([{ line: 3, reason: expect.stringContaining('created') as string }]);
    const [first] = await stored();
    expect(first).toMatchObject({
      external_id: 'chatcmpl-1',
      asked_at: new Date(1_793_534_400_000),
      subject: hashSubject(KEY, 'user-17'),
      prompt_tokens: 9,
    });
    expect(first!.request.user).toBe(hashSubject(KEY, 'user-17'));
    expect((await imported('openai.jsonl', { model: 'desk' })).counts).toMatchObject({ stored: 0, duplicate: 2 });
  });

  it('need a model', async () => {
    await expect(imported('openai.jsonl')).rejects.toMatchObject({ code: 'invalid_option' });
  });
});

describe('fine-tuning files', () => {
  it('have the last message as the answer, and the time of the file where they say none', async () => {
    const file = path.join(folder, 'messages.jsonl');
    writeFileSync(file, readFileSync(path.join(FIXTURES, 'messages.jsonl')));
    utimesSync(file, new Date(), new Date('2026-10-01T00:00:00Z'));
    const { format, counts, refused } = await imported(file, { model: 'desk' });
    expect(format).toBe('messages');
    expect(counts).toMatchObject({ lines: 4, stored: 2, invalid: 2 });
    expect(refused.map(({ line }) => line)).toEqual([3, 4]);
    const [first, second] = await stored();
    expect(first!.asked_at).toEqual(new Date('2026-10-01T00:00:00Z'));
    expect(first!.request.messages).toHaveLength(2);
    expect(answerOf(first!)).toMatchObject({ content: 'Under way.' });
    expect(second).toMatchObject({ external_id: 'm-2', request: { tools: [{ type: 'function' }] } });
    expect(answerOf(second!)).toMatchObject({ tool_calls: [{ id: 'call_1' }] });
  });
});

describe('data flywheel logs', () => {
  it('go to the model of their workload; logs that share a response id are two', async () => {
    const { format, counts, refused } = await imported('data-flywheel.jsonl');
    expect(format).toBe('data-flywheel');
    expect(counts).toMatchObject({ lines: 5, stored: 3, invalid: 2 });
    expect(refused).toEqual([
      { line: 4, reason: 'timestamp: is not one' },
      { line: 5, reason: 'request: is not an object' },
    ]);
    const rows = await stored();
    expect(rows.at(-1)).toMatchObject({ external_id: 'es-3', asked_at: new Date('2026-11-01T12:02:00Z') });
    expect(rows[0]!.tags).toEqual({ client_id: 'desk-app', workload_id: 'desk' });
    expect((await imported('data-flywheel.jsonl')).counts).toMatchObject({ stored: 0, duplicate: 3 });
  });
});

describe('Langfuse', () => {
  it('takes generations of observations, and ignores what is no call of a model', async () => {
    const { format, counts, refused } = await imported('langfuse-observations.jsonl', { model: 'desk' });
    expect(format).toBe('langfuse');
    expect(counts).toMatchObject({ lines: 4, stored: 2, ignored: 1, invalid: 1 });
    expect(refused).toEqual([{ line: 4, reason: 'start_time: is not a timestamp' }]);
    const [first, second] = await stored();
    expect(first).toMatchObject({
      external_id: 'obs-1',
      asked_at: new Date('2026-11-01T12:00:00.123Z'),
      subject: hashSubject(KEY, 'user-17'),
      session: 's-9',
      latency_ms: 500,
      prompt_tokens: 9,
      request: { model: 'small-1', temperature: 0.2, messages: [user('Where is my parcel?')] },
    });
    expect(answerOf(first!)).toMatchObject({ role: 'assistant', content: 'Under way.' });
    expect(second).toMatchObject({ external_id: 'obs-3', status: 'incomplete', response: null, subject: null });
  });

  it('joins scores to their observations, whichever comes first', async () => {
    const scores = await imported('langfuse-scores.jsonl', { model: 'desk' });
    expect(scores.counts).toMatchObject({ lines: 4, stored: 4, stored_feedback: 4, invalid: 1 });
    expect(scores.refused).toEqual([{ line: 4, reason: expect.stringContaining('trace') as string }]);
    await imported('langfuse-observations.jsonl', { model: 'desk' });
    const [first, second] = await stored();
    expect(first!.feedback).toEqual([
      { kind: 'comment', source: 'user', value: 'It was not under way.' },
      { kind: 'thumbs', source: 'user', value: -1 },
      { kind: 'score', source: 'system', name: 'toxicity', value: 0.1 },
    ]);
    expect(second!.feedback).toEqual([{ kind: 'comment', source: 'reviewer', value: 'topic: shipping' }]);
    expect((await imported('langfuse-scores.jsonl', { model: 'desk' })).counts).toMatchObject({
      stored: 0,
      duplicate: 4,
    });
  });

  it('takes a downloaded trace, whose own scores are about its last generation', async () => {
    const { counts } = await imported('langfuse-trace.json', { model: 'desk' });
    expect(counts).toMatchObject({ lines: 1, stored: 4, stored_feedback: 2, invalid: 0 });
    const [draft, answer] = await stored();
    expect(draft).toMatchObject({ external_id: 'obs-92', feedback: [] });
    expect(answer!.feedback.map(({ kind }) => kind)).toEqual(['comment', 'thumbs']);
    expect(answer!.subject).toBe(hashSubject(KEY, 'user-17'));
  });

  it('takes the table as CSV, with a column for each score', async () => {
    const { format, counts } = await imported('langfuse-table.csv', { model: 'desk' });
    expect(format).toBe('langfuse');
    expect(counts).toMatchObject({ lines: 2, stored: 3, ignored: 1, invalid: 0 });
    const [row] = await stored();
    expect(row!.request.messages).toEqual([user('Where is "my" parcel?\nSecond line.')]);
    expect(row!.feedback).toEqual([
      { kind: 'score', source: 'user', name: 'helpfulness', value: 0.8 },
      { kind: 'thumbs', source: 'user', value: 1 },
    ]);
  });
});

describe('TensorZero', () => {
  it('takes inferences and all four kinds of feedback; an episode stands for its last inference', async () => {
    const { format, counts, refused } = await imported('tensorzero.jsonl');
    expect(format).toBe('tensorzero');
    expect(counts).toMatchObject({ lines: 9, stored: 7, stored_feedback: 4, invalid: 2 });
    expect(refused.map(({ line }) => line)).toEqual([8, 9]);
    const [first, second, third] = await stored();
    expect(first).toMatchObject({
      external_id: '019a3f00-0000-7000-8000-000000000001',
      subject: hashSubject(KEY, 'user-17'),
      session: '019a3eff-0000-7000-8000-0000000000e1',
      latency_ms: 120,
      tags: { function_name: 'desk', variant_name: 'v1', locale: 'en' },
      request: { temperature: 0.5, messages: [{ role: 'system', content: 'Be brief.' }, user('Where is my parcel?')] },
    });
    expect(first!.feedback.map(({ kind, value }) => [kind, value])).toEqual([
      ['comment', 'It did not come.'],
      ['correction', 'It arrives on Friday.'],
      ['thumbs', -1],
    ]);
    expect(second!.request.messages).toEqual([
      user('Weather?'),
      {
        role: 'assistant',
        tool_calls: [{ id: 'c1', type: 'function', function: { name: 'weather', arguments: '{}' } }],
      },
      { role: 'tool', tool_call_id: 'c1', content: 'rain' },
    ]);
    expect(answerOf(third!)).toMatchObject({ content: '{"label":"parcel"}' });
    expect(third!.feedback).toEqual([{ kind: 'score', source: 'ada', name: 'rating', value: 4.5 }]);
    expect((await imported('tensorzero.jsonl')).counts).toMatchObject({ stored: 0, duplicate: 7 });
  });

  it('takes boolean metrics for scores when others were named as thumbs', async () => {
    await imported('tensorzero.jsonl', { thumbs: ['solved'] });
    const [first] = await stored();
    expect(first!.feedback).toContainEqual({ kind: 'score', source: 'user', name: 'helpful', value: 0 });
  });
});

describe('SQLite', () => {
  const COLUMNS = `id INTEGER PRIMARY KEY, timestamp TEXT, query TEXT, response TEXT, model TEXT, expert TEXT, latency_ms REAL,
    token_count INTEGER, quality_score REAL, user_feedback, feedback_text TEXT`;

  function usage(rows: readonly (string | number | null)[][], pragma = ''): string {
    const file = path.join(folder, `usage-${rows.length}.db`);
    const sqlite = new Database(file);
    sqlite.exec(`${pragma}; CREATE TABLE usage (${COLUMNS})`);
    for (const row of rows) sqlite.run(`INSERT INTO usage VALUES (${row.map(() => '?').join(',')})`, row);
    sqlite.close();
    return file;
  }
  const row = (id: number, feedback: string | number | null, text: string | null = null) => [
    id,
    '2026-11-01 12:00:00',
    `Question ${id}?`,
    `Answer ${id}.`,
    'desk',
    'parcels',
    41.6,
    12,
    0.8,
    feedback,
    text,
  ];

  it('takes the table usage, with stars as a rating, a quality score and a comment', async () => {
    const file = usage([
      row(1, 5, 'Quick.'),
      row(2, 1),
      [3, 'never', 'When?', 'Today.', 'desk', null, null, null, null, null, null],
    ]);
    const { format, counts, refused } = await imported(file);
    expect(format).toBe('sqlite');
    expect(counts).toMatchObject({ lines: 3, stored: 7, stored_feedback: 5, invalid: 1 });
    expect(refused).toEqual([{ line: 3, reason: 'timestamp: is not one' }]);
    const [first, second] = await stored();
    expect(first).toMatchObject({ external_id: '1', latency_ms: 42, tags: { expert: 'parcels' }, status: 'complete' });
    expect(first!.response).toMatchObject({ usage: { total_tokens: 12 } });
    expect(first!.feedback).toEqual([
      { kind: 'comment', source: 'user', value: 'Quick.' },
      { kind: 'rating', source: 'user', value: 5, min: 1, max: 5 },
      { kind: 'score', source: 'system', name: 'quality_score', value: 0.8 },
    ]);
    expect(second!.feedback[0]).toMatchObject({ kind: 'rating', value: 1 });
    expect((await imported(file)).counts).toMatchObject({ stored: 0, duplicate: 7 });
  });

  it('takes 0 and 1 for thumbs where others said nothing, and adds feedback that came later', async () => {
    await imported(usage([row(1, 1), row(2, 0), row(3, null), row(4, null)]));
    expect((await stored()).map(({ feedback }) => feedback.find(({ kind }) => kind === 'thumbs')?.value)).toEqual([
      1,
      -1,
      undefined,
      undefined,
    ]);
    const later = usage([row(1, 1), row(2, 0), row(3, 1), row(4, null), row(5, null)]);
    expect((await imported(later)).counts).toMatchObject({ stored: 3, stored_feedback: 2, conflict: 0 });
  });

  it('reads a database in WAL mode with what its log holds, and changes nothing beside it', async () => {
    const file = path.join(folder, 'wal.db');
    const program = `import sqlite3, os, sys
c = sqlite3.connect(sys.argv[1]); c.execute('PRAGMA journal_mode=WAL'); c.execute('CREATE TABLE usage (${COLUMNS.replaceAll('\n', ' ')})')
c.execute("INSERT INTO usage (id, timestamp, query, response, model) VALUES (1, '2026-11-01', 'Q', 'A', 'desk')"); c.commit(); os._exit(0)`;
    execFileSync('python3', ['-c', program, file]);
    const before = readFileSync(`${file}-wal`);
    expect((await imported(file)).counts).toMatchObject({ lines: 1, stored: 1 });
    expect(readFileSync(`${file}-wal`)).toEqual(before);
  });

  it('says what is missing in a database of something else', async () => {
    const file = path.join(folder, 'other.db');
    const sqlite = new Database(file);
    sqlite.exec('CREATE TABLE songs (title TEXT)');
    sqlite.close();
    await expect(imported(file)).rejects.toMatchObject({ code: 'invalid_option' });
  });
});
