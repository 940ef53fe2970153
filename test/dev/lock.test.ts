import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { withLock } from '#setup/lock.mjs';
import { identify } from '#setup/processes.mjs';
import { ROOT } from '#setup/toolchain.mjs';
import { linesOf, runProgram, temporaryFolder } from './support.js';

const LOCK = pathToFileURL(path.join(ROOT, 'setup', 'lock.mjs')).href;

function owner(fields: Record<string, unknown>): string {
  return JSON.stringify({ ...identify(process.pid), host: os.hostname(), token: 'somebody', ...fields });
}

test('processes that want it at the same time have it one after the other', async () => {
  const folder = temporaryFolder();
  const notes = path.join(folder, 'notes');
  const program = `import fs from 'node:fs';
    import { withLock } from ${JSON.stringify(LOCK)};
    for (let turn = 0; turn < 3; turn += 1) {
      await withLock(${JSON.stringify(path.join(folder, 'lock'))}, async () => {
        fs.appendFileSync(${JSON.stringify(notes)}, 'in ' + process.pid + '\\n');
        await new Promise((resolve) => setTimeout(resolve, 20));
        fs.appendFileSync(${JSON.stringify(notes)}, 'out ' + process.pid + '\\n');
      }, { pollMs: 5 });
    }`;
  await Promise.all(Array.from({ length: 4 }, () => runProgram(['--input-type=module', '-e', program])));
  const lines = linesOf(notes);
  expect(lines).toHaveLength(24);
  for (let at = 0; at < lines.length; at += 2) {
    expect(lines[at + 1]).toBe(lines[at]?.replace('in', 'out'));
  }
  expect(fs.readdirSync(folder)).toEqual(['notes']);
});

test.each([
  ['ended', { pid: 2 ** 22 + 1 }],
  ['left its id to another process', { start: 'an earlier start' }],
  ['was on another machine and has not been heard of for a minute', { host: 'elsewhere' }, 61_000],
])('the lock of an owner that %s is taken over, by one of many', async (_, fields, age = 0) => {
  const file = path.join(temporaryFolder(), 'lock');
  fs.writeFileSync(file, owner(fields));
  const then = new Date(Date.now() - age);
  fs.utimesSync(file, then, then);
  let inside = 0;
  let most = 0;
  const work = async () => {
    inside += 1;
    most = Math.max(most, inside);
    await new Promise((resolve) => setTimeout(resolve, 10));
    inside -= 1;
    return 'done';
  };
  const results = await Promise.all(Array.from({ length: 8 }, () => withLock(file, work, { pollMs: 1 })));
  expect(results).toEqual(Array(8).fill('done'));
  expect(most).toBe(1);
  expect(fs.readdirSync(path.dirname(file))).toEqual([]);
});

test.each([
  ['runs', {}],
  ['is on another machine and was heard of just now', { host: 'elsewhere' }],
])(
  'the lock of an owner that %s is waited for, which is said once, and the wait can be given up',
  async (_, fields) => {
    const file = path.join(temporaryFolder(), 'lock');
    fs.writeFileSync(file, owner(fields));
    const told: number[] = [];
    const stop = new AbortController();
    const waiting = withLock(file, async () => 'never', {
      pollMs: 5,
      signal: stop.signal,
      onWait: ({ pid }) => told.push(pid),
    });
    setTimeout(() => stop.abort(new Error('given up')), 150);
    await expect(waiting).rejects.toThrow('given up');
    expect(told).toEqual([process.pid]);
    expect(fs.existsSync(file)).toBe(true);
  },
);

test('a failure of the work frees the lock and is passed on', async () => {
  const file = path.join(temporaryFolder(), 'lock');
  await expect(withLock(file, () => Promise.reject(new Error('boom')))).rejects.toThrow('boom');
  expect(fs.existsSync(file)).toBe(false);
});

test('a process that is killed with the lock loses it', async () => {
  const file = path.join(temporaryFolder(), 'lock');
  const program = `import { withLock } from ${JSON.stringify(LOCK)};
    await withLock(${JSON.stringify(file)}, async () => {
      console.log('mine');
      await new Promise((resolve) => setTimeout(resolve, 60_000));
    });`;
  const holder = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  onTestFinished(() => {
    holder.kill('SIGKILL');
  });
  await once(holder.stdout, 'data');
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  expect(fs.existsSync(file)).toBe(true);
  await expect(withLock(file, async () => 'mine now', { pollMs: 5 })).resolves.toBe('mine now');
});
