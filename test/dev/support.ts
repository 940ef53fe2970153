import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'understudy-dev-'));
  fs.chmodSync(folder, 0o755);
  onTestFinished(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Waits until `probe` answers something else than undefined or false. */
export async function eventually<T>(probe: () => T | undefined | false, timeoutMs = 10_000): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = probe();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms`);
    await sleep(25);
  }
}

/** The lines of a file so far; none while it does not exist. */
export function linesOf(file: string): string[] {
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
}

/** A program that stays until it is asked to stop, and notes in `file` that it started and that it was asked. */
export function patientProgram(file: string, name: string): string[] {
  return [
    '-e',
    `const fs = require('node:fs');
     const note = (text) => fs.appendFileSync(${JSON.stringify(file)}, text + '\\n');
     process.on('SIGTERM', () => { note('${name} stopped'); process.exit(0); });
     setInterval(() => {}, 1000);
     note('${name} started ' + process.pid);`,
  ];
}

export interface FinishedRun {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end; `onStart` may send it signals. */
export function runProgram(
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string; onStart?: (pid: number, stderr: () => string) => void } = {},
): Promise<FinishedRun> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...args], {
      env: { ...process.env, ...options.env },
      cwd: options.cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
    if (child.pid !== undefined) options.onStart?.(child.pid, () => stderr);
  });
}
