import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { BenchContext } from '../harness/index.js';

/** A part of a bench that must be a process of its own. It says what it has to say by `say`, more than once if it likes. */
export type Program<Options, Said> = (options: Options, say: (said: Said) => void) => Promise<void> | void;

/** At the end of a program's file: runs it when the file was started by `startProgram`. */
export function runProgram<Options, Said>(program: Program<Options, Said>): void {
  if (process.send === undefined) return;
  // Whoever started it has ended.
  process.once('disconnect', () => process.exit());
  process.once('message', (options: Options) => {
    void Promise.resolve(program(options, (said) => process.send!(said))).catch((error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      process.exit(1);
    });
  });
}

export interface RunningProgram<Said> {
  pid: number;
  /** What it says next; rejects when it ends instead. */
  next(): Promise<Said>;
  stop(): Promise<void>;
}

let started = 0;

/**
 * Starts the program of a file beside this one, stopped with the bench.
 *
 * @param name of the file, without its ending
 */
export function startProgram<Options extends object, Said>(
  context: BenchContext,
  name: string,
  options: Options,
): RunningProgram<Said> {
  const child = fork(fileURLToPath(new URL(`./${name}.js`, import.meta.url)), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const said: Said[] = [];
  const waiting: { resolve(said: Said): void; reject(error: Error): void }[] = [];
  let ended = false;
  const end = new Promise<void>((resolve) => {
    child.once('exit', () => {
      ended = true;
      for (const { reject } of waiting.splice(0)) reject(new Error(`${name} ended`));
      resolve();
    });
  });
  child.on('message', (message) => {
    const next = waiting.shift();
    if (next === undefined) said.push(message as Said);
    else next.resolve(message as Said);
  });
  child.send(options);
  const stop = async () => {
    child.kill('SIGKILL');
    await end;
  };
  started += 1;
  context.supervisor.defer(`${name} ${started}`, stop);
  return {
    pid: child.pid!,
    next: () =>
      new Promise((resolve, reject) => {
        const first = said.shift();
        if (first !== undefined) resolve(first);
        else if (ended) reject(new Error(`${name} ended`));
        else waiting.push({ resolve, reject });
      }),
    stop,
  };
}
