import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '#setup/toolchain.mjs';
import { createDb, type Db } from '../../src/db/index.js';
import { applyModel } from '../../src/registry/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const CLI = path.join(ROOT, 'dist', 'src', 'cli.js');

let database: TestDatabase;
let db: Db;
let folder: string;
beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(database.url);
  folder = mkdtempSync(path.join(os.tmpdir(), 'understudy-cli-'));
  const upstream = { base_url: 'http://127.0.0.1:9/v1', model: 'base' };
  await applyModel(db, { name: 'desk', base_model: 'tiny', upstream }, { actor: 'test' });
});
afterAll(async () => {
  await db?.close();
  await database?.drop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** Runs the built program with this test's database and nothing else to talk to. */
function understudy(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return understudyReading('', ...args);
}

/** The same, with something on standard input. */
function understudyReading(
  input: string | Buffer,
  ...args: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = {
    ...process.env,
    DATABASE_URL: database.url,
    UNDERSTUDY_SUBJECT_KEY: 'a key of the tests, long enough',
    TEMPORAL_ADDRESS: '127.0.0.1:9',
  };
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [CLI, ...args],
      { cwd: folder, env, timeout: 50_000 },
      (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : ((error.code as unknown as number) ?? -1), stdout, stderr }),
    );
    child.stdin?.end(input);
  });
}

function record(name: string): string {
  return JSON.stringify({
    external_id: name,
    timestamp: '2026-11-01T12:00:00Z',
    model: 'desk',
    request: { messages: [{ role: 'user', content: 'Where is my parcel?' }] },
    response: { choices: [{ index: 0, message: { role: 'assistant', content: 'Under way.' } }] },
    feedback: [{ kind: 'thumbs', value: 1 }],
  });
}

function file(name: string, lines: readonly string[]): string {
  const written = path.join(folder, name);
  writeFileSync(written, lines.map((line) => `${line}\n`).join(''));
  return written;
}

async function stored(prefix: string): Promise<number> {
  return db.prisma.interaction.count({ where: { externalId: { startsWith: prefix } } });
}

describe('understudy db partitions', () => {
  it('lists months and drops an old one, but not one that is still needed', async () => {
    await db.pool.query("SELECT ensure_month_partition('interactions', '2024-08-15')");
    const { stdout } = await understudy('db', 'partitions', 'list');
    expect(stdout).toMatch(/^interactions +2024-08 +0 +[\d.]+ MB$/m);
    const dropped = await understudy('db', 'partitions', 'drop', 'interactions', '2024-08');
    expect(dropped).toMatchObject({ code: 0, stdout: expect.stringContaining('about 0 rows') });
    const months = JSON.parse((await understudy('db', 'partitions', 'list', '--json')).stdout) as { month: string }[];
    expect(months.map(({ month }) => month)).not.toContain('2024-08');

    const current = new Date().toISOString().slice(0, 7);
    const needed = await understudy('db', 'partitions', 'drop', 'interactions', current);
    expect(needed).toMatchObject({ code: 1, stderr: expect.stringContaining('month_needed') });
    expect(await understudy('db', 'partitions', 'drop', 'answers', current)).toMatchObject({ code: 1 });
  });
});

describe('understudy import', () => {
  it('stores every line of a short file, and a second time nothing', async () => {
    const short = file('short.jsonl', [record('short-1'), record('short-2'), record('short-3')]);
    expect(await understudy('import', short)).toMatchObject({
      code: 0,
      stdout: '3 lines: 3 stored, 0 already there, 0 refused.\n',
    });
    expect(await stored('short-')).toBe(3);
    expect(await understudy('import', short)).toMatchObject({
      code: 0,
      stdout: '3 lines: 0 stored, 3 already there, 0 refused.\n',
    });
  });

  it('stores every line of a file of several megabytes', async () => {
    const rows = Array.from({ length: 12_000 }, (_, row) => record(`long-${row}`));
    const { code, stdout } = await understudy('import', file('long.jsonl', rows), '--json');
    expect(JSON.parse(stdout)).toMatchObject({ lines: 12_000, stored: 12_000, duplicate: 0, invalid: 0 });
    expect(code).toBe(0);
    expect(await stored('long-')).toBe(12_000);
  });

  it('says 0 lines of an empty file', async () => {
    expect(await understudy('import', file('empty.jsonl', []))).toMatchObject({
      code: 0,
      stdout: '0 lines: 0 stored, 0 already there, 0 refused.\n',
    });
  });

  it('stores the good lines, and writes the others with their number and without their text to --rejects', async () => {
    const secret = 'my card is 4111 1111 1111 1111';
    const mixed = file('mixed.jsonl', [
      record('mixed-1'),
      `{"external_id": "${secret}"`,
      '',
      record('mixed-2').replace('"desk"', '"nobody"'),
      record('mixed-3').replace('"role":"user"', `"role":7,"content2":"${secret}"`),
      record('mixed-4'),
    ]);
    const rejects = path.join(folder, 'rejects.jsonl');
    const { code, stdout, stderr } = await understudy('import', mixed, '--rejects', rejects);
    expect(code).toBe(1);
    expect(stdout).toContain('6 lines: 2 stored, 0 already there, 3 refused.');
    const refused = readFileSync(rejects, 'utf8');
    const lines = refused.trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { line: number }).line).toSorted()).toEqual([2, 4, 5]);
    expect(stdout + stderr + refused).not.toContain('4111');
    expect(await stored('mixed-')).toBe(2);
  });

  it('unpacks gzip, whatever the name of the file, also on standard input', async () => {
    const rows = Array.from({ length: 2_500 }, (_, row) => `${record(`packed-${row}`)}\n`);
    const packed = path.join(folder, 'packed.jsonl');
    // Files appended to one another are one gzip of several members.
    writeFileSync(packed, Buffer.concat([gzipSync(rows.slice(0, 900).join('')), gzipSync(rows.slice(900).join(''))]));
    expect(await understudy('import', packed)).toMatchObject({
      code: 0,
      stdout: '2500 lines: 2500 stored, 0 already there, 0 refused.\n',
    });
    expect(await stored('packed-')).toBe(2_500);
    expect(await understudyReading(readFileSync(packed), 'import', '-')).toMatchObject({
      code: 0,
      stdout: '2500 lines: 0 stored, 2500 already there, 0 refused.\n',
    });
  });

  it('keeps a line whole that has a line separator of Unicode or a carriage return at its end', async () => {
    const odd = record('odd-1').replace('parcel', 'par\u2028\u2029cel');
    expect(await understudy('import', file('odd.jsonl', [odd, `${record('odd-2')}\r`]))).toMatchObject({
      code: 0,
      stdout: '2 lines: 2 stored, 0 already there, 0 refused.\n',
    });
  });

  it('stores OpenAI pairs under the model named, and refuses other lines without their text', async () => {
    const request = { model: 'gpt', messages: [{ role: 'user', content: 'Where is it?' }] };
    const choices = [{ index: 0, message: { role: 'assistant', content: 'Here.' } }];
    const pairs = file('pairs.jsonl', [
      JSON.stringify({ request, response: { id: 'pair-1', created: 1_793_534_400, choices } }),
      JSON.stringify({ request, response: { created: 1_793_534_400, choices } }),
      JSON.stringify({ request, response: { id: 'pair-3', choices, note: 'secret words' } }),
    ]);
    const args = ['import', pairs, '--format', 'openai', '--rejects', path.join(folder, 'pairs.rejects')];
    expect((await understudy(...args)).stderr).toMatch(/^invalid_option: .*--model/);
    const first = await understudy(...args, '--model', 'desk');
    expect(first.stdout).toContain('3 lines: 2 stored, 0 already there, 1 refused.');
    expect(first.stdout + readFileSync(path.join(folder, 'pairs.rejects'), 'utf8')).not.toContain('secret');
    expect(await stored('pair-')).toBe(1);
    expect((await understudy(...args, '--model', 'desk')).stdout).toContain('3 lines: 0 stored, 2 already there');
    const { rows } = await db.pool.query("SELECT asked_at FROM interactions WHERE external_id = 'pair-1'");
    expect(rows).toEqual([{ asked_at: new Date(1_793_534_400_000) }]);
  });

  it('says that a gzip is cut off, and takes the whole one afterwards', async () => {
    const rows = Array.from({ length: 2_500 }, (_, row) => `${record(`cut-${row}`)}\n`);
    const whole = gzipSync(rows.join(''));
    const cut = path.join(folder, 'cut.gz');
    writeFileSync(cut, whole.subarray(0, whole.length - 40));
    const { code, stderr } = await understudy('import', cut);
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^invalid_option: .*Z_BUF_ERROR/),
    });
    writeFileSync(cut, whole);
    expect((await understudy('import', cut)).code).toBe(0);
    expect(await stored('cut-')).toBe(2_500);
  });

  it('stops on Ctrl-C after what is under way, and goes on where it stopped', async () => {
    const rows = Array.from({ length: 30_000 }, (_, row) => record(`stop-${row}`));
    const long = file('stop.jsonl', rows);
    const child = spawn(process.execPath, [CLI, 'import', long, '--connections', '1'], {
      cwd: folder,
      env: { ...process.env, DATABASE_URL: database.url, UNDERSTUDY_SUBJECT_KEY: 'a key of the tests, long enough' },
    });
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    await expect.poll(() => stored('stop-'), { timeout: 30_000, interval: 20 }).toBeGreaterThan(0);
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(stdout).toContain('the same command goes on from here');
    const reached = await stored('stop-');
    expect(reached).toBeLessThan(30_000);
    const again = await understudy('import', long, '--json');
    expect(JSON.parse(again.stdout)).toMatchObject({ resumed_after: reached, lines: 30_000, stored: 30_000 });
    expect(await stored('stop-')).toBe(30_000);
  }, 120_000);

  it('keeps standard output free for the export, and refuses options that are none', async () => {
    const late = [record('late-1'), record('late-2')].map((line) => line.replace('2026-11-01', '2026-11-03'));
    await understudy('import', file('late.jsonl', late));
    const { code, stdout, stderr } = await understudy('export', 'desk', '--from', '2026-11-03', '--json');
    expect(code).toBe(0);
    const lines = stdout.trim().split('\n');
    expect(JSON.parse(stderr)).toMatchObject({ interactions: 2, feedback: 2, out: '-' });
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { external_id: 'late-1', status: 'complete' },
      { external_id: 'late-2', status: 'complete' },
    ]);
    for (const args of [
      ['--from', 'yesterday'],
      ['--experiment', '7'],
      ['--format', 'parquet'],
    ])
      expect(await understudy('export', 'desk', ...args)).toMatchObject({ code: 1, stdout: '' });
  });

  it('says which file it cannot read or write, and stores nothing', async () => {
    const good = file('good.jsonl', [record('good-1')]);
    for (const args of [
      ['import', folder],
      ['import', path.join(folder, 'absent.jsonl')],
      ['import', good, '--rejects', path.join(folder, 'no', 'such', 'folder')],
    ]) {
      const { code, stderr } = await understudy(...args);
      expect({ args, code, stderr }).toMatchObject({ code: 1, stderr: expect.stringMatching(/^invalid_option: /) });
    }
    expect(await stored('good-')).toBe(0);
  });
});

describe('understudy rollback', () => {
  it('takes --version as the version to go to', async () => {
    const { code, stderr } = await understudy('rollback', 'desk', '--version', '9', '--reason', 'worse');
    expect(code).toBe(1);
    expect(stderr).toContain('unknown_version: Model "desk" has no version 9.');
  });
});

describe('understudy verify', () => {
  it('says that everything fits, and with exit code 1 what was changed by hand', async () => {
    expect(await understudy('verify', 'desk')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^desk: 1 route change, 0 experiments, 0 looks checked\.\nEverything fits: /),
    });
    await db.pool.query(
      "BEGIN; SET LOCAL session_replication_role = replica; UPDATE route_changes SET actor = 'me' WHERE model = 'desk'; COMMIT",
    );
    const { code, stdout } = await understudy('verify', 'desk', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      route_changes: { checked: 1, broken: [{ epoch: 1, field: 'hash' }] },
    });
    expect((await understudy('verify', 'desk')).stdout).toMatch(
      /route change 1: hash is "[0-9a-f]{64}", not "[0-9a-f]{64}"/,
    );
    expect(await understudy('verify', 'nobody')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^unknown_model/),
    });
  });
});

describe('understudy experiment plan', () => {
  it('says what the traffic is and why nothing can come of it', async () => {
    const { code, stdout } = await understudy('experiment', 'plan', 'desk');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^desk: \d+ interactions? with a subject|WARNING: The experiment cannot finish/);
    const json = await understudy('experiment', 'plan', 'desk', '--json');
    expect(JSON.parse(json.stdout)).toMatchObject({ model: 'desk', test: 'group_sequential', share: 0.1, plan: null });
    expect((await understudy('experiment', 'plan', 'nobody')).stderr).toMatch(/^unknown_model/);
  });
});

describe('understudy --version', () => {
  it('prints the version of the program', async () => {
    expect(await understudy('--version')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });
});

describe('understudy cycle start', () => {
  it('refuses overrides that a cycle may not have before it asks Temporal', async () => {
    const { code, stderr } = await understudy('cycle', 'start', 'desk', '--overrides', '{"sandbox":true}');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^overrides_refused: /);
  });
});
