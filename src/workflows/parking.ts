import { isCancellation } from '@temporalio/workflow';
import type { Cycle } from './cycle.js';
import { problemOf } from './failures.js';

/**
 * Runs a step of an expensive cycle. When its retries are used up, the cycle parks: it asks for an operator, waits for
 * `resume` as long as it takes, and tries again. Cancelling ends the wait; a failure that no waiting cures ends the cycle.
 */
export async function parkUntilDone<T>(cycle: Cycle, step: string, run: () => Promise<T>): Promise<T> {
  return (await parkUnless(cycle, step, () => false, run)) as T;
}

/** The same, but `unless` ends the wait too: then the answer is null. For steps during which messages must be obeyed. */
export async function parkUnless<T>(
  cycle: Cycle,
  step: string,
  unless: () => boolean,
  run: () => Promise<T>,
): Promise<T | null> {
  for (;;) {
    try {
      return await run();
    } catch (error) {
      const problem = problemOf(error);
      if (isCancellation(error) || problem.final) throw error;
      await cycle.askOperator(step, problem, unless);
      if (unless()) return null;
    }
  }
}
