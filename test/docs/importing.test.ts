import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '#setup/toolchain.mjs';
import { createDb, type Db } from '../../src/db/index.js';
import { FORMATS } from '../../src/formats/index.js';
import { applyModel } from '../../src/registry/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const CLI = path.join(ROOT, 'dist', 'src', 'cli.js');
const FIXTURES = path.join(ROOT, 'test', 'fixtures', 'importing');
const page = readFileSync(path.join(ROOT, 'docs', 'importing.md'), 'utf8');
const commands = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap((block) => block[1]!.trim().split('\n'));
const unused = new Set(commands);

let database: TestDatabase;
let db: Db;
let folder: string;
beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(database.url);
  const upstream = { base_url: 'http://127.0.0.1:9/v1', model: 'base' };
  await applyModel(db, { name: 'support-desk', base_model: 'tiny', upstream }, { actor: 'test' });
  folder = mkdtempSync(path.join(os.tmpdir(), 'understudy-importing-'));
  const good = readFileSync(path.join(FIXTURES, 'records.jsonl'), 'utf8')
    .split('\n')
    .slice(0, 2)
    .map((line) => `${line.replace('"desk"', '"support-desk"')}\n`)
    .join('');
  writeFileSync(path.join(folder, 'records.jsonl'), good);
  writeFileSync(path.join(folder, 'records.jsonl.gz'), gzipSync(good));
  const copies = {
    'openai.jsonl': 'pairs.jsonl',
    'messages.jsonl': 'messages.jsonl',
    'data-flywheel.jsonl': 'flywheel.jsonl',
    'langfuse-observations.jsonl': 'observations.jsonl',
    'langfuse-scores.jsonl': 'scores.jsonl',
    'tensorzero.jsonl': 'tensorzero.jsonl',
  };
  for (const [from, to] of Object.entries(copies)) copyFileSync(path.join(FIXTURES, from), path.join(folder, to));
  const { Database } = createRequire(import.meta.url)('node-sqlite3-wasm') as typeof import('node-sqlite3-wasm');
  const sqlite = new Database(path.join(folder, 'usage.db'));
  sqlite.exec(`CREATE TABLE usage (id INTEGER PRIMARY KEY, timestamp TEXT, query TEXT, response TEXT, user_feedback INTEGER);
    INSERT INTO usage VALUES (1, '2026-11-01T12:00:00Z', 'Where is my parcel?', 'Under way.', 1)`);
  sqlite.close();
});
afterAll(async () => {
  await db?.close();
  await database?.drop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** Runs the command of the page that has these words and no others, or else the one that contains them all. */
function documented(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const exact = commands.filter((line) => line === `npx understudy ${words.join(' ')}`);
  const found =
    exact.length > 0 ? exact : commands.filter((line) => words.every((word) => line.split(' ').includes(word)));
  expect(found, `commands with ${words.join(', ')}`).toHaveLength(1);
  unused.delete(found[0]!);
  const [npx, understudy, ...args] = found[0]!.split(' ');
  expect([npx, understudy]).toEqual(['npx', 'understudy']);
  const env = {
    ...process.env,
    DATABASE_URL: database.url,
    UNDERSTUDY_SUBJECT_KEY: 'a key of the tests, long enough',
  };
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, ...args], { cwd: folder, env, timeout: 50_000 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : ((error.code as unknown as number) ?? -1), stdout, stderr }),
    );
  });
}

describe('docs/importing.md', () => {
  it('checks and imports records, and finds the packed ones there', async () => {
    const checked = await documented('records.jsonl', '--dry-run');
    expect(checked).toMatchObject({ code: 0, stdout: '2 lines: 2 valid, 0 refused.\nDry run: nothing was stored.\n' });
    expect((await documented('import', 'records.jsonl')).stdout).toBe(
      '2 lines: 2 stored, 0 already there, 0 refused.\n',
    );
  });

  it('has a summary with the fields it names', async () => {
    const { code, stdout } = await documented('records.jsonl.gz', '--json');
    expect(code).toBe(0);
    const summary = JSON.parse(stdout) as Record<string, unknown>;
    expect(summary).toMatchObject({ format: 'records', lines: 2, stored: 0, duplicate: 2 });
    const described = /\*\*Summary\*\*[\s\S]*?\n\n/.exec(page)![0];
    for (const field of Object.keys(summary)) expect(described).toContain(`\`${field}\``);
  });

  it.each([
    ['pairs.jsonl', 'openai', '3 lines: 2 stored', 1],
    ['messages.jsonl', 'messages', '4 lines: 2 stored', 2],
    ['flywheel.jsonl', 'data-flywheel', '5 lines: 3 stored', 2],
    ['observations.jsonl', 'langfuse', '4 lines: 2 stored', 1],
    ['scores.jsonl', 'langfuse', '4 lines: 4 stored', 1],
    ['tensorzero.jsonl', 'tensorzero', '9 lines: 7 stored', 2],
  ])('imports %s as %s, with what is refused beside it', async (file, format, said, refused) => {
    const { code, stdout, stderr } = await documented('import', file);
    expect(stdout).toContain(said);
    expect(code).toBe(1);
    if (!commands.some((line) => line.includes(file) && line.includes('--format')))
      expect(stderr).toContain(`Format: ${format}`);
    const rejects = readFileSync(path.join(folder, `${file}.rejects.jsonl`), 'utf8')
      .trim()
      .split('\n');
    expect(rejects).toHaveLength(refused);
    expect(Object.keys(JSON.parse(rejects[0]!) as object)).toEqual(['line', 'reason']);
  });

  it('imports SQLite', async () => {
    const { code, stdout, stderr } = await documented('import', 'usage.db');
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('1 lines: 2 stored') as string });
    expect(stderr).toContain('Format: sqlite');
  });

  it('exports, packed, restricted and as Parquet, and imports it again', async () => {
    expect((await documented('export', 'support-desk.jsonl.gz')).stdout).toMatch(/^\d+ interactions with \d+ feedback/);
    expect((await documented('export', 'november.parquet')).code).toBe(0);
    expect(readFileSync(path.join(folder, 'november.parquet')).subarray(0, 4).toString()).toBe('PAR1');
    const failed = JSON.parse((await documented('export', 'failed.jsonl')).stdout) as Record<string, unknown>;
    expect(failed).toMatchObject({ interactions: 0, format: 'jsonl' });
    const again = await documented('import', 'support-desk.jsonl.gz');
    expect(again).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/ 0 stored, \d+ already there, 0 refused/) as string,
    });
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  it('has a section for every format, and no command that was not run here', () => {
    for (const format of [...Object.keys(FORMATS), 'sqlite']) expect(page).toContain(`\n### ${format}\n`);
    expect([...unused]).toEqual([]);
  });
});
