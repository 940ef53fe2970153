import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ROOT } from '#setup/toolchain.mjs';
import { createDb } from '../../src/db/index.js';
import { type StubUpstream, startStubUpstream } from '../support/stub-upstream.js';

const run = promisify(execFile);
const CLI = path.join(ROOT, 'dist', 'src', 'cli.js');
const readme = readFileSync(path.join(ROOT, 'README.md'), 'utf8');
const section = /\n## Your own app\n([\s\S]*?)\n## /.exec(readme)![1]!;
const lines = [...section.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap((block) => block[1]!.trim().split('\n'));
const yaml = /```yaml\n([\s\S]*?)```/.exec(section)![1]!;

let folder: string;
let upstream: StubUpstream;
let dev: ChildProcess;
let output = '';
let server = '';
let key = '';
let interaction = '';

beforeAll(async () => {
  upstream = await startStubUpstream();
  folder = mkdtempSync(path.join(os.tmpdir(), 'understudy-readme-'));
  // Started by root, Postgres runs as a user of its own, who has to pass through.
  chmodSync(folder, 0o711);
  writeFileSync(path.join(folder, 'model.yaml'), yaml.replace('http://localhost:8901', upstream.url));
  dev = spawn(process.execPath, [CLI, 'dev'], {
    cwd: folder,
    env: withoutDatabase(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [dev.stdout!, dev.stderr!]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  await vi.waitUntil(() => output.includes('Ctrl-C stops everything'), { timeout: 90_000, interval: 100 });
  server = /Server\s+(http:\S+)/.exec(output)![1]!;
});
afterAll(async () => {
  if (dev !== undefined && dev.exitCode === null) {
    const ended = new Promise((resolve) => dev.once('exit', resolve));
    dev.kill('SIGINT');
    await ended;
  }
  await upstream?.close();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** `dev` and the CLI find each other by the folder alone. */
function withoutDatabase(): NodeJS.ProcessEnv {
  const { DATABASE_URL: _url, TEMPORAL_ADDRESS: _address, ...rest } = process.env;
  return rest;
}

/** The one line of the section that begins like this. */
function line(...words: string[]): string {
  const found = lines.filter((candidate) => words.every((word) => candidate.includes(word)));
  expect(found, words.join(' … ')).toHaveLength(1);
  return found[0]!;
}

/** Runs `npx understudy …` of the README in its folder. */
async function understudy(command: string): Promise<string> {
  const words = /npx understudy ([^)]*)/.exec(command)![1]!.trim().split(/\s+/);
  const { stdout } = await run(process.execPath, [CLI, ...words], { cwd: folder, env: withoutDatabase() });
  return stdout.trim();
}

/** Does what a `curl -s URL -H … -d …` of the README does, on the port that was free. */
async function curl(command: string): Promise<Record<string, unknown>> {
  const typed = command.replaceAll('$KEY', key).replaceAll(`'$INTERACTION'`, interaction);
  const [, url] = /^curl -s (\S+)/.exec(typed)!;
  const headers = Object.fromEntries(
    [...typed.matchAll(/-H "([^:]+): ([^"]+)"/g)].map((match) => [match[1]!, match[2]!]),
  );
  const body = /-d '(.*)'$/.exec(typed)![1]!;
  const response = await fetch(url!.replace('http://localhost:8080', server), { method: 'POST', headers, body });
  expect(response.status).toBe(200);
  return (await response.json()) as Record<string, unknown>;
}

describe('README.md, "Your own app"', () => {
  it('starts everything with the command that package.json has under that name', () => {
    const { scripts } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    expect(line('npm run dev')).toBe('npm run dev');
    expect(scripts.dev).toBe('node setup/run.mjs dev --');
  });

  it('creates the model and a key with the commands as they stand', async () => {
    expect(await understudy(line('model apply'))).toContain('Created support-desk');
    key = await understudy(line('key create'));
    expect(key).toMatch(/^us_/);
  });

  it('answers the one request through the gateway, with the interaction as its id', async () => {
    const answer = await curl(line('/v1/chat/completions'));
    expect(answer).toMatchObject({ object: 'chat.completion', choices: [{ message: { role: 'assistant' } }] });
    interaction = answer.id as string;
    expect(interaction).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    expect(upstream.requests).toHaveLength(1);
  });

  it('stores the one feedback, and the interaction it is about', async () => {
    expect(await curl(line('/v1/feedback'))).toMatchObject({ results: [{ status: 'stored' }] });
    const env = readFileSync(path.join(folder, '.understudy', 'dev.env'), 'utf8');
    const db = createDb(/^DATABASE_URL=(.*)$/m.exec(env)![1]!, { max: 1 });
    try {
      const stored = async () =>
        (
          await db.pool.query(
            `SELECT i.model, i.status, i.version, i.subject, f.kind FROM interactions i JOIN feedback f ON f.interaction_id = i.id WHERE i.id = $1`,
            [interaction],
          )
        ).rows as Record<string, unknown>[];
      await expect.poll(stored).toEqual([
        {
          model: 'support-desk',
          status: 'complete',
          version: 1,
          kind: 'thumbs',
          subject: expect.stringMatching(/^[0-9a-f]{64}$/),
        },
      ]);
    } finally {
      await db.close();
    }
  });

  it('shows the model, and a doctor who finds nothing', async () => {
    expect(await understudy(line('model show'))).toContain('version 1 is champion');
    expect(await understudy(line('doctor'))).not.toContain('FAILED');
  });

  it('stops on Ctrl-C and leaves nothing running', async () => {
    const ended = new Promise<number | null>((resolve) => dev.once('exit', resolve));
    dev.kill('SIGINT');
    expect(await ended).toBe(130);
    await expect(fetch(`${server}/healthz`)).rejects.toThrow();
  });
});
