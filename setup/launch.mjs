// Runs the program that all the set-up was for.
import { spawn } from 'node:child_process';
import os from 'node:os';
import process from 'node:process';
import { endGroups, groupMembers, identify, sendSignal } from './processes.mjs';

/** Several senders may pass on one Ctrl-C: the terminal, npm, and npm's shell. */
const SAME_SIGNAL_MS = 1_000;

/**
 * Runs a program (Node unless another is named) with this terminal, passes signals on, and returns its exit code (128 + n when a signal ended it).
 * It has a process group of its own, so that a Ctrl-C reaches it once, through here.
 *
 * @param {string[]} args
 * @param {{program?: string, env?: Record<string, string>, guard: {add(record: object): void, remove(pid: number): void},
 *   onSignal: (handler: (signal: NodeJS.Signals) => void) => void}} options
 */
export async function launch(args, { program = process.execPath, env, guard, onSignal }) {
  const child = spawn(program, args, { stdio: 'inherit', detached: true, env: { ...process.env, ...env } });
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(signal ? 128 + (os.constants.signals[signal] ?? 0) : (code ?? 1)));
  });
  const record = identify(child.pid);
  guard.add(record);
  let last = 0;
  onSignal((signal) => {
    if (Date.now() - last < SAME_SIGNAL_MS) return;
    last = Date.now();
    sendSignal(child.pid, signal);
  });
  const code = await ended;
  if (groupMembers(child.pid).length > 0) await endGroups([record], { graceMs: 3_000 });
  guard.remove(child.pid);
  return code;
}
