// Runs the steps of the set-up: those that do not need each other at the same time, each under its lock, none twice.
import fs from 'node:fs';
import path from 'node:path';
import { lastLines } from './command.mjs';
import { withLock } from './lock.mjs';

/**
 * @typedef {object} Step
 * @property {string} id
 * @property {string} title shown
 * @property {string[]} after ids of the steps that must be done before
 * @property {string} lock file
 * @property {() => boolean} isDone must be quick; asked again once the lock is held
 * @property {(tools: {log: string, signal: AbortSignal, run: Function}) => Promise<void>} run
 */

/** A step failed; the others were stopped. The message is for the terminal. */
export class StepError extends Error {
  constructor(step, cause) {
    super(`${step.title} failed: ${cause.message}${cause.log ? `\nIts whole output is in ${cause.log}.` : ''}`, {
      cause,
    });
    this.name = 'StepError';
  }
}

async function runStep(step, { progress, signal, run }) {
  if (step.isDone()) return;
  const log = path.join(path.dirname(step.lock), 'logs', `${step.id}.log`);
  const shown = { title: step.title, detail: () => lastLines(log, 1)[0]?.trim() };
  const onWait = ({ pid }) => progress.say(`  … ${step.title}: waiting for another set-up (process ${pid})`);
  progress.begin(shown);
  try {
    const worked = await withLock(
      step.lock,
      async () => {
        // Whoever held the lock may have done it.
        if (step.isDone()) return false;
        fs.mkdirSync(path.dirname(log), { recursive: true });
        fs.writeFileSync(log, '');
        await step.run({
          log,
          signal,
          run: (command, args, options) => run(command, args, { log, signal, ...options }),
        });
        return true;
      },
      { onWait, signal },
    );
    if (worked) progress.done(shown);
    else progress.end(shown);
  } catch (error) {
    if (signal.aborted) progress.end(shown);
    else progress.failed(shown);
    throw signal.aborted ? signal.reason : new StepError(step, error);
  }
}

/**
 * Runs all steps that are not done. When one fails the others are stopped, so that nothing goes on in the background.
 *
 * @param {Step[]} steps
 * @param {{progress: import('./progress.mjs').Progress, signal: AbortSignal, run: Function}} tools `run` is `runCommand`
 *   with the guard already in it
 * @throws StepError, or the reason of the abort
 */
export async function runSteps(steps, { progress, signal, run }) {
  const stop = new AbortController();
  const forward = () => stop.abort(signal.reason);
  if (signal.aborted) forward();
  signal.addEventListener('abort', forward, { once: true });
  const done = new Map();
  for (const step of steps) {
    const before = step.after.map((id) => done.get(id)).filter((promise) => promise !== undefined);
    const result = Promise.all(before).then(() => runStep(step, { progress, signal: stop.signal, run }));
    done.set(
      step.id,
      result.catch((error) => {
        stop.abort(error);
        throw error;
      }),
    );
  }
  // All are waited for, also after a failure: their locks and drafts are then gone.
  const results = await Promise.allSettled(done.values());
  signal.removeEventListener('abort', forward);
  signal.throwIfAborted();
  const failure = results.map((result) => result.reason).find((reason) => reason instanceof Error);
  if (failure) throw stop.signal.reason ?? failure;
}
