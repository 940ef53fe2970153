import { constants } from 'node:os';
import { type Guard, openGuard } from '#setup/guard.mjs';
import { endGroups } from '#setup/processes.mjs';
import { ChildRecords, endLeftovers, SUPERVISOR_MARK } from './child-records.js';
import { type ChildExit, type ChildHooks, type ChildOptions, SupervisedChild } from './supervised-child.js';

export type SupervisorEvent =
  | { type: 'leftovers_ended'; names: string[] }
  /** Ready for the first time (`restarts` 0), or started again. */
  | { type: 'started'; name: string; pid: number; restarts: number }
  | { type: 'exited'; name: string; pid: number; exit: ChildExit }
  /** Ended without being asked to, and not replaced. */
  | { type: 'lost'; name: string; exit: ChildExit; reason: string };

export interface SupervisorOptions {
  /** Folder for the list of running children; give the same one to the next start. */
  stateDir: string;
  /** Stop everything and leave on SIGINT, SIGTERM, SIGHUP and uncaught exceptions. Default true. */
  handleSignals?: boolean;
  onEvent?: (event: SupervisorEvent) => void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Keeps child processes, each in a process group of its own, and leaves none behind: they are stopped in reverse order
 * of start on `stop`, on signals and on uncaught exceptions; a guardian ends them within 10 s when this process is
 * killed; and the next `openSupervisor` on the same folder ends what even the guardian could not.
 */
export class Supervisor {
  private readonly undo: { name: string; run: () => Promise<void> }[] = [];
  private readonly children = new Set<SupervisedChild>();
  private stopped: Promise<void> | undefined;
  private readonly removeHandlers: (() => void)[] = [];

  constructor(
    private readonly records: ChildRecords,
    private readonly guard: Guard,
    private readonly onEvent: (event: SupervisorEvent) => void,
  ) {}

  /** This supervisor's id, also the value of `UNDERSTUDY_SUPERVISOR` in its children's environment. */
  get id(): string {
    return this.records.supervisor;
  }

  /**
   * Starts a program and returns when it is ready.
   * @throws ChildStartError with the end of its log when it is not; nothing of it is left running
   */
  async spawn(name: string, command: string, args: readonly string[], options: ChildOptions): Promise<SupervisedChild> {
    if (this.stopped) throw new Error(`cannot start ${name}: everything is being stopped`);
    const child = new SupervisedChild(name, command, args, options, this.hooks());
    this.children.add(child);
    const stop = { name, run: () => child.stop() };
    this.undo.push(stop);
    try {
      await child.start();
    } catch (error) {
      this.children.delete(child);
      this.undo.splice(this.undo.indexOf(stop), 1);
      throw error;
    }
    return child;
  }

  /** Runs `work` when everything is stopped, in its place in the reverse order of starting. */
  defer(name: string, work: () => Promise<void>): void {
    this.undo.push({ name, run: work });
  }

  /** Pids of the children that run now, by name. */
  running(): { name: string; pid: number }[] {
    return [...this.children].flatMap(({ name, pid }) => (pid === undefined ? [] : [{ name, pid }]));
  }

  /** Stops everything, newest first. A step that fails does not keep the others from running. May be called again. */
  stop(): Promise<void> {
    this.stopped ??= this.stopAll();
    return this.stopped;
  }

  /** Installs the handlers for signals and uncaught exceptions; `stop` removes them. */
  handleSignals(): void {
    const leave = (code: number) => {
      void this.stop().finally(() => process.exit(code));
    };
    for (const signal of SIGNALS) {
      const handler = () => leave(128 + (constants.signals[signal] ?? 0));
      process.on(signal, handler);
      this.removeHandlers.push(() => process.removeListener(signal, handler));
    }
    const onError = (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
      leave(1);
    };
    for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
      process.on(event, onError);
      this.removeHandlers.push(() => process.removeListener(event, onError));
    }
  }

  private async stopAll(): Promise<void> {
    const failures: unknown[] = [];
    for (const { name, run } of this.undo.reverse()) {
      await run().catch((error: unknown) => failures.push(new Error(`stopping ${name} failed`, { cause: error })));
    }
    await endGroups([], { mark: { name: SUPERVISOR_MARK, value: this.id } });
    this.guard.dismiss();
    this.records.delete();
    for (const remove of this.removeHandlers) remove();
    if (failures.length > 0) throw new AggregateError(failures, 'not everything stopped in good order');
  }

  private hooks(): ChildHooks {
    return {
      mark: { [SUPERVISOR_MARK]: this.id },
      remember: (record) => {
        // The guardian first: it is the one that acts if this process dies on the next line.
        this.guard.add(record);
        this.records.add(record);
      },
      forget: (pid) => {
        this.guard.remove(pid);
        this.records.remove(pid);
      },
      started: (name, pid, restarts) => this.onEvent({ type: 'started', name, pid, restarts }),
      exited: (name, pid, exit) => this.onEvent({ type: 'exited', name, pid, exit }),
      lost: (name, exit, reason) => this.onEvent({ type: 'lost', name, exit, reason }),
    };
  }
}

/**
 * Ends what an earlier supervisor on the same folder left behind, then opens a new one. Two supervisors that run at the
 * same time on one folder leave each other alone.
 *
 * @example
 * const supervisor = await openSupervisor({ stateDir: '.understudy/processes' });
 * await supervisor.spawn('worker', process.execPath, ['dist/src/worker.js'], {
 *   logFile: '.understudy/logs/worker.log',
 *   restart: { maxPerMinute: 10 },
 * });
 * await supervisor.stop();
 */
export async function openSupervisor(options: SupervisorOptions): Promise<Supervisor> {
  const onEvent = options.onEvent ?? (() => {});
  const names = await endLeftovers(options.stateDir);
  if (names.length > 0) onEvent({ type: 'leftovers_ended', names });
  const records = new ChildRecords(options.stateDir);
  const guard = openGuard({ name: SUPERVISOR_MARK, value: records.supervisor });
  const supervisor = new Supervisor(records, guard, onEvent);
  if (options.handleSignals ?? true) supervisor.handleSignals();
  return supervisor;
}
