import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { ROOT } from '#setup/toolchain.mjs';

const CLI = path.join(ROOT, 'dist', 'src', 'cli.js');
const GONE = 'postgres://understudy:gone@127.0.0.1:9/understudy';

let folder: string;
let dev: ChildProcess | undefined;
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'understudy-dev-again-'));
  // Started by root, Postgres runs as a user of its own, who has to pass through.
  chmodSync(folder, 0o711);
});
afterAll(async () => {
  if (dev !== undefined && dev.exitCode === null) {
    const ended = new Promise((resolve) => dev?.once('exit', resolve));
    dev.kill('SIGINT');
    await ended;
  }
  rmSync(folder, { recursive: true, force: true });
});

it('dev starts again after it was killed: what it left about its parts is not believed', async () => {
  const left = path.join(folder, '.understudy', 'dev.env');
  mkdirSync(path.dirname(left));
  writeFileSync(left, `DATABASE_URL=${GONE}\n`);
  const { DATABASE_URL: _url, ...env } = process.env;
  let output = '';
  dev = spawn(process.execPath, [CLI, 'dev'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [dev.stdout!, dev.stderr!]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  await vi.waitUntil(() => output.includes('Ctrl-C stops everything') || dev?.exitCode !== null, { timeout: 50_000 });
  expect(output).toContain('Ctrl-C stops everything');
  expect(readFileSync(left, 'utf8')).not.toContain(GONE);
});
