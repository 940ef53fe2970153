// One external program of the set-up: in a process group of its own, its output in a log, ended when the set-up is.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { endGroups, identify } from './processes.mjs';

/** The program failed. `log` is where its output is; the message ends with its last lines. */
export class CommandError extends Error {
  constructor(message, log) {
    super(message);
    this.name = 'CommandError';
    this.log = log;
  }
}

/** The last `count` lines of a log that say something. */
export function lastLines(file, count) {
  try {
    const lines = fs.readFileSync(file, 'utf8').split(/[\r\n]+/);
    return lines.filter((line) => line.trim() !== '').slice(-count);
  } catch {
    return [];
  }
}

/**
 * Runs a program to its end.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{log: string, cwd?: string, env?: Record<string, string>, signal?: AbortSignal,
 *   guard?: {add(record: object): void, remove(pid: number): void}}} options output is appended to `log`
 * @throws CommandError when it cannot be started or does not end with 0; the abort reason when it was aborted
 */
export async function runCommand(command, args, { log, cwd, env, signal, guard }) {
  signal?.throwIfAborted();
  fs.mkdirSync(path.dirname(log), { recursive: true });
  const output = fs.openSync(log, 'a');
  let child;
  try {
    child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', output, output],
      detached: true,
    });
  } finally {
    fs.closeSync(output);
  }
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve({ failure: error.message }));
    child.once('exit', (code, by) =>
      resolve(code === 0 ? {} : { failure: by ? `ended by ${by}` : `exit code ${code}` }),
    );
  });
  const record = child.pid === undefined ? undefined : identify(child.pid);
  if (record) guard?.add(record);
  const onAbort = () => {
    if (record) void endGroups([record], { graceMs: 2000 });
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  const { failure } = await ended;
  signal?.removeEventListener('abort', onAbort);
  if (record) {
    // Helpers that a program leaves behind in its group are of no use to anybody.
    await endGroups([record], { graceMs: 2000 });
    guard?.remove(record.pid);
  }
  signal?.throwIfAborted();
  if (failure === undefined) return;
  const shown = [path.basename(command), ...args].join(' ');
  throw new CommandError(`${shown}: ${failure}\n${lastLines(log, 25).join('\n')}`, log);
}
