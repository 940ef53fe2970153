import { CancellationScope, CancelledFailure, isCancellation } from '@temporalio/workflow';
import type { CycleOutcome } from '../temporal/workflow-types.js';
import type { Cycle } from './cycle.js';
import { failureOf, problemOf } from './failures.js';
import { finishSteps, type Step } from './finish-steps.js';
import { closing } from './phases/close.js';

/** Why a cycle is undone: who appears in the audit, and the sentence that stands there. */
export interface Why {
  outcome: 'canceled' | 'failed' | 'skipped';
  /** At most 200 characters. */
  reason: string;
}

/**
 * What to undo when the cycle does not end well. A step is registered before what it undoes; each looks at the present
 * state and makes it right, and succeeds when there is nothing to undo.
 */
export class UndoList {
  #steps: { name: string; undo: (why: Why) => Promise<unknown> }[] = [];

  /** Registers how to undo what comes next. */
  add(name: string, undo: (why: Why) => Promise<unknown>): void {
    this.#steps.push({ name, undo });
  }

  /** Forgets a step: something that lasts owns its product now. */
  release(name: string): void {
    this.#steps = this.#steps.filter((step) => step.name !== name);
  }

  /** Forgets everything: the cycle has reached its end. */
  clear(): void {
    this.#steps = [];
  }

  /** The steps, last registered first. */
  steps(why: Why): Step[] {
    return this.#steps.toReversed().map(({ name, undo }) => ({ name, run: () => undo(why) }));
  }
}

/**
 * Runs the story of a cycle. When it is cancelled or a step fails for good, everything on the undo list is undone, last in
 * first out, where no cancellation reaches; then the cycle's row is closed and the workflow ends Canceled or Failed.
 */
export async function undoOnFailure(
  cycle: Cycle,
  story: (undo: UndoList) => Promise<CycleOutcome>,
): Promise<CycleOutcome> {
  const undo = new UndoList();
  try {
    return await story(undo);
  } catch (error) {
    const canceled = isCancellation(error);
    const why = canceled ? CANCELED : ({ outcome: 'failed', reason: sentence(error) } as const);
    await CancellationScope.nonCancellable(async () => {
      await finishSteps(cycle, undo.steps(why));
      // Only now: with the lease given back, another cycle would start on top of what is left.
      await finishSteps(cycle, [closing(cycle, why.outcome, why.reason)]);
      cycle.endedAs(why.outcome);
    });
    // Only a CancelledFailure ends a workflow as Canceled, and only an ApplicationFailure as Failed.
    throw canceled ? new CancelledFailure('The cycle was cancelled; what it had done is undone.') : failureOf(error);
  }
}

const CANCELED = { outcome: 'canceled', reason: 'the workflow was cancelled' } as const;

function sentence(error: unknown): string {
  const { type, message } = problemOf(error);
  return `${type}: ${message}`.slice(0, 200);
}
