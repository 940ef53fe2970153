import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '#setup/toolchain.mjs';
import { createAuthenticator } from '../../src/access/index.js';
import { createDb, type Db } from '../../src/db/index.js';
import { applyModel } from '../../src/registry/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const CLI = path.join(ROOT, 'dist', 'src', 'cli.js');
const page = readFileSync(path.join(ROOT, 'docs', 'keys.md'), 'utf8');
const commands = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap((block) => block[1]!.trim().split('\n'));
const unused = new Set(commands);

let database: TestDatabase;
let db: Db;
beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(database.url);
  const upstream = { base_url: 'http://127.0.0.1:9/v1', model: 'base' };
  await applyModel(db, { name: 'support-desk', base_model: 'tiny', upstream }, { actor: 'test' });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

interface Done {
  code: number;
  stdout: string;
  stderr: string;
}

function understudy(...args: string[]): Promise<Done> {
  return new Promise((resolve) => {
    const options = { cwd: os.tmpdir(), env: { ...process.env, DATABASE_URL: database.url }, timeout: 50_000 };
    execFile(process.execPath, [CLI, ...args], options, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : ((error.code as unknown as number) ?? -1), stdout, stderr }),
    );
  });
}

/** Runs the one command of the page that contains these words, with the key of its example replaced. */
async function documented(words: string, id?: string): Promise<Done> {
  const found = commands.filter((line) => line.includes(words));
  expect(found, `commands with ${words}`).toHaveLength(1);
  unused.delete(found[0]!);
  const [program, ...args] = found[0]!.split(' ');
  expect(program).toBe('understudy');
  return understudy(...args.map((arg) => (id !== undefined && /^[0-9a-f-]{36}$/.test(arg) ? id : arg)));
}

const json = async (...args: string[]) => JSON.parse((await understudy(...args, '--json')).stdout);
const list = async () => (await json('key', 'list')).keys as Record<string, unknown>[];

describe('docs/keys.md', () => {
  it('makes keys, with and without limits, and lists them', async () => {
    expect((await understudy('key', 'list')).stdout).toContain('no keys yet');
    const shop = await documented('--name shop');
    expect(shop.stdout).toMatch(/^us_[\w-]{43}\n$/);
    expect((await documented('--name website')).code).toBe(0);
    const table = (await documented('key list')).stdout;
    expect(table).toMatch(/shop +us_\S{6} +serve,ingest +support-desk +– .* active/);
    expect(table).toMatch(/website .* 600 requests\/min, 0 of 2000000 tokens today/);
    expect(table).not.toContain(shop.stdout.trim());
    expect(
      (await list()).map(({ name, model, requests_per_minute, tokens_per_day, prefix, last_used_at }) => ({
        name,
        model,
        requests_per_minute,
        tokens_per_day,
        prefix,
        last_used_at,
      })),
    ).toEqual([
      {
        name: 'website',
        model: null,
        requests_per_minute: 600,
        tokens_per_day: 2_000_000,
        prefix: expect.any(String),
        last_used_at: null,
      },
      {
        name: 'shop',
        model: 'support-desk',
        requests_per_minute: null,
        tokens_per_day: null,
        prefix: shop.stdout.slice(0, 9),
        last_used_at: null,
      },
    ]);
    for (const wrong of ['0', '-1', '1.5', 'many']) {
      const refused = await understudy('key', 'create', '--scope', 'serve', `--requests-per-minute=${wrong}`);
      expect([wrong, refused.code, refused.stderr]).toEqual([
        wrong,
        1,
        expect.stringContaining('invalid_option: Option requests-per-minute'),
      ]);
    }
  });

  it('replaces a key: both work during the overlap, with the same rights; a second time changes nothing', async () => {
    const [website] = (await list()).filter(({ name }) => name === 'website');
    const id = website!.id as string;
    const rotated = await documented('key rotate', id);
    expect(rotated.stdout).toMatch(/^us_[\w-]{43}\n$/);
    expect(rotated.stderr).toContain('the old key works until');
    const [successor, ...others] = (await list()).filter(({ successor_of }) => successor_of === id);
    expect(others).toEqual([]);
    const { scopes, model, requests_per_minute, tokens_per_day, name } = website!;
    expect(successor).toMatchObject({ state: 'active', scopes, model, requests_per_minute, tokens_per_day, name });
    const [old] = (await list()).filter((key) => key.id === id);
    expect(old).toMatchObject({ state: 'ending' });
    expect(Date.parse(old!.expires_at as string) - Date.now()).toBeGreaterThan(23 * 3_600_000);

    const again = await understudy('key', 'rotate', id);
    expect([again.code, again.stdout]).toEqual([1, '']);
    expect(again.stderr).toMatch(new RegExp(`^key_rotated: .*${successor!.id as string}`));
    expect(await list()).toHaveLength(3);
    const { authenticate } = createAuthenticator(db);
    expect(await authenticate(`Bearer ${rotated.stdout.trim()}`)).toMatchObject({ keyId: successor!.id });
  });

  it('ends the old key at once without an overlap', async () => {
    const made = await json('key', 'create', '--scope', 'read');
    const rotated = await json('key', 'rotate', made.id, '--overlap', '0s');
    expect(rotated).toMatchObject({ key: expect.stringMatching(/^us_/), replaces: { id: made.id } });
    const { authenticate } = createAuthenticator(db);
    await expect(authenticate(`Bearer ${made.key}`)).rejects.toMatchObject({ code: 'unauthorized' });
    expect(await authenticate(`Bearer ${rotated.key}`)).toMatchObject({ name: 'cli' });
    expect((await understudy('key', 'rotate', rotated.id, '--overlap', 'soon')).stderr).toContain('Option overlap');
  });

  it('revokes a key, once and for all, and says so the second time', async () => {
    const made = await json('key', 'create', '--scope', 'read');
    expect((await documented('key revoke', made.id)).stdout).toBe(`key ${made.id} is revoked\n`);
    const again = await understudy('key', 'revoke', made.id);
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('was revoked already, at ')]);
    await expect(createAuthenticator(db).authenticate(`Bearer ${made.key}`)).rejects.toMatchObject({
      code: 'unauthorized',
    });
    expect((await understudy('key', 'rotate', made.id)).stderr).toMatch(/^key_ended: /);
    for (const command of ['rotate', 'revoke']) {
      expect((await understudy('key', command, crypto.randomUUID())).stderr).toMatch(/^unknown_key: /);
      expect((await understudy('key', command, 'shop')).stderr).toMatch(/^unknown_key: /);
      const secret = await understudy('key', command, made.key);
      expect(secret.stderr).toMatch(/^invalid_option: /);
      expect(secret.stderr).not.toContain(made.key);
    }
  });

  it('has no command that was not run', () => {
    expect([...unused]).toEqual([]);
  });
});
