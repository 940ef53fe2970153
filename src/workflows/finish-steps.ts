import { CancellationScope } from '@temporalio/workflow';
import type { Cycle } from './cycle.js';
import { type Problem, problemOf } from './failures.js';

/** One thing that must be done before a cycle may end. Succeeds when there is nothing to do. */
export interface Step {
  name: string;
  run: () => Promise<unknown>;
}

/**
 * Does every step, in order, where no cancellation reaches. One that fails for good does not keep the others from running;
 * then an operator is asked, and what failed is tried again at each `resume`, until it works or is left as it is.
 */
export async function finishSteps(cycle: Cycle, steps: Step[]): Promise<void> {
  await CancellationScope.nonCancellable(async () => {
    let open = steps;
    for (;;) {
      const failed: { step: Step; problem: Problem }[] = [];
      for (const step of open) {
        try {
          await step.run();
        } catch (error) {
          failed.push({ step, problem: problemOf(error) });
        }
      }
      const [first] = failed;
      if (first === undefined) return;
      await cycle.askOperator(failed.map(({ step }) => step.name).join(', '), first.problem);
      if (cycle.messages.lastResume?.skip === true) return;
      open = failed.map(({ step }) => step);
    }
  });
}
