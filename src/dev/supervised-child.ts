import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endGroups, identify, sendSignal } from '#setup/processes.mjs';
import type { ChildRecord } from './child-records.js';

export interface ChildOptions {
  /** Added to this process's own environment. */
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** Standard output and error are appended here; its folder is created. */
  logFile: string;
  /** Asked every `readyIntervalMs` until it answers true; a rejection counts as "not yet". */
  ready?: () => Promise<boolean>;
  /** Default 60 s; past it the child is stopped and the start fails. */
  readyTimeoutMs?: number;
  /** Default 50 ms. */
  readyIntervalMs?: number;
  /** How the child is asked to stop. Default SIGTERM. */
  stopSignal?: NodeJS.Signals;
  /** Grace before SIGKILL. Default 5 s. */
  stopTimeoutMs?: number;
  /** Replace the child when it ends without having been asked to, at most this often in any minute. */
  restart?: { maxPerMinute: number };
  /** It is meant to end: its end is not a loss. */
  oneShot?: boolean;
  uid?: number;
  gid?: number;
}

export interface ChildExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** What the supervisor does around a child: remember it, forget it, tell about it. */
export interface ChildHooks {
  mark: Readonly<Record<string, string>>;
  remember(record: ChildRecord): void;
  forget(pid: number): void;
  started(name: string, pid: number, restarts: number): void;
  /** The child ended by itself and will not be replaced. */
  lost(name: string, exit: ChildExit, reason: string): void;
  exited(name: string, pid: number, exit: ChildExit): void;
}

/** The child ended, or never answered, while it was being started. `message` ends with the last lines of its log. */
export class ChildStartError extends Error {
  override readonly name = 'ChildStartError';
}

const LOG_TAIL_BYTES = 4096;
const RESTART_DELAY_MS = 200;

/** The last lines that were written to a log, from byte `from` on. */
export function logTail(file: string, from = 0): string {
  const size = fs.statSync(file).size;
  const start = Math.max(from, size - LOG_TAIL_BYTES);
  const buffer = Buffer.alloc(Math.max(0, size - start));
  const fd = fs.openSync(file, 'r');
  try {
    fs.readSync(fd, buffer, 0, buffer.length, start);
  } finally {
    fs.closeSync(fd);
  }
  return buffer.toString('utf8').trim().split('\n').slice(-15).join('\n');
}

/** One program that is kept running: a process group of its own, its log, and its replacement when it dies. */
export class SupervisedChild {
  restarts = 0;
  private process: ChildProcess | undefined;
  private record: ChildRecord | undefined;
  /** Before it is up, its end is the failure of `start`, and no reason for a replacement. */
  private up = false;
  private stopping = false;
  private exit: Promise<ChildExit> | undefined;
  private cleared: Promise<void> = Promise.resolve();
  private logStart = 0;
  private readonly restartTimes: number[] = [];

  constructor(
    readonly name: string,
    private readonly command: string,
    private readonly args: readonly string[],
    private readonly options: ChildOptions,
    private readonly hooks: ChildHooks,
  ) {}

  /** Process id of the present incarnation; undefined while none runs. */
  get pid(): number | undefined {
    return this.record?.pid;
  }

  /**
   * Starts the program and waits until it is ready.
   * @throws ChildStartError when it ends before that or takes longer than `readyTimeoutMs`; nothing is left running
   */
  async start(): Promise<void> {
    this.launch();
    try {
      await this.untilReady();
      this.up = true;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Asks the group to stop, kills what is left of it after the grace, and returns when nothing of it runs. */
  async stop(): Promise<void> {
    this.stopping = true;
    if (this.record) await endGroups([this.record], { graceMs: this.options.stopTimeoutMs ?? 5000 });
    await this.cleared;
  }

  /** How the present incarnation ended, once nothing of its group runs any more. */
  async completion(): Promise<ChildExit> {
    const exit = (await this.exit) ?? { code: null, signal: null };
    await this.cleared;
    return exit;
  }

  /** Sends a signal to the child's process group, as an operator or an accident would. */
  signal(signal: NodeJS.Signals): void {
    if (this.record) sendSignal(-this.record.pid, signal);
  }

  private launch(): void {
    const { env, cwd, logFile, stopSignal, uid, gid } = this.options;
    fs.mkdirSync(path.dirname(logFile), { recursive: true });
    const log = fs.openSync(logFile, 'a');
    this.logStart = fs.fstatSync(log).size;
    let child: ChildProcess;
    try {
      child = spawn(this.command, [...this.args], {
        cwd,
        env: { ...process.env, ...env, ...this.hooks.mark },
        stdio: ['ignore', log, log],
        // Its own group: the terminal's Ctrl-C does not reach it, so the order of stopping stays ours, and one signal
        // reaches all that it has started.
        detached: true,
        ...(uid === undefined ? {} : { uid }),
        ...(gid === undefined ? {} : { gid }),
      });
    } finally {
      fs.closeSync(log);
    }
    this.process = child;
    this.exit = new Promise((resolve) => {
      child.once('error', (error) => {
        // No process was created (no such program, no permission): there will be no exit event.
        if (child.pid === undefined) {
          fs.appendFileSync(logFile, `${error.message}\n`);
          resolve({ code: null, signal: null });
        }
      });
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    if (child.pid !== undefined) {
      this.record = {
        ...identify(child.pid),
        name: this.name,
        ...(stopSignal === undefined ? {} : { signal: stopSignal }),
      };
      this.hooks.remember(this.record);
    }
    this.cleared = this.exit.then((exit) => this.onExit(child, exit));
  }

  private async onExit(child: ChildProcess, exit: ChildExit): Promise<void> {
    const { record } = this;
    if (child !== this.process || !record) return;
    this.hooks.exited(this.name, record.pid, exit);
    // The leader is gone; what it had started may not be.
    await endGroups([record], { graceMs: this.options.stopTimeoutMs ?? 5000 });
    this.record = undefined;
    this.hooks.forget(record.pid);
    const { restart, oneShot } = this.options;
    if (this.stopping || !this.up || oneShot) return;
    if (!restart) return this.hooks.lost(this.name, exit, 'it ended by itself');
    const now = Date.now();
    while (this.restartTimes[0] !== undefined && this.restartTimes[0] < now - 60_000) this.restartTimes.shift();
    if (this.restartTimes.length >= restart.maxPerMinute) {
      return this.hooks.lost(this.name, exit, `it was replaced ${restart.maxPerMinute} times within a minute`);
    }
    this.restartTimes.push(now);
    await sleep(RESTART_DELAY_MS);
    if (this.stopping) return;
    this.restarts += 1;
    this.launch();
    if (this.record) this.hooks.started(this.name, (this.record as ChildRecord).pid, this.restarts);
    else this.hooks.lost(this.name, exit, 'it could not be started again');
  }

  private async untilReady(): Promise<void> {
    const { ready, readyTimeoutMs = 60_000, readyIntervalMs = 50, logFile } = this.options;
    let gone: ChildExit | undefined;
    const exit = this.exit?.then((result) => {
      gone = result;
    });
    const deadline = Date.now() + readyTimeoutMs;
    if (this.record === undefined) await exit;
    for (;;) {
      // A program that ended must be noticed even when something else answers the probe in its place.
      const answered = !gone && (ready ? await ready().catch(() => false) : true);
      if (answered && !gone) break;
      if (!gone) await Promise.race([exit, sleep(readyIntervalMs)]);
      if (gone) {
        const how = gone.signal
          ? `by ${gone.signal}`
          : gone.code === null
            ? 'without starting'
            : `with code ${gone.code}`;
        throw new ChildStartError(`${this.name} ended ${how} before it was ready.\n${logTail(logFile, this.logStart)}`);
      }
      if (Date.now() > deadline) {
        const seconds = Math.round(readyTimeoutMs / 1000);
        throw new ChildStartError(
          `${this.name} did not answer within ${seconds} s.\n${logTail(logFile, this.logStart)}`,
        );
      }
    }
    if (this.record) this.hooks.started(this.name, this.record.pid, this.restarts);
  }
}
