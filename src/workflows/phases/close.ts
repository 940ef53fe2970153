import type { CycleOutcomeName } from '../../activities/contract.js';
import type { CycleOutcome, CycleReason } from '../../temporal/workflow-types.js';
import * as activities from '../activities.js';
import { asOf, type Cycle } from '../cycle.js';
import { finishSteps, type Step } from '../finish-steps.js';

/** Ends the cycle's row, which gives the lease back: always the last step. */
export function closing(cycle: Cycle, outcome: CycleOutcomeName | 'failed' | 'canceled', reason: string): Step {
  return {
    name: 'close the cycle',
    run: () => activities.closeCycle({ cycleId: cycle.id, outcome, reason, asOf: asOf() }),
  };
}

export interface Ending {
  outcome: CycleOutcomeName;
  reason: CycleReason;
  champion: number | null;
  evidence: Record<string, unknown>;
}

/** Does what is left to do, ends the row, and answers how the cycle ended. No cancellation stops it: the outcome stands. */
export async function finish(cycle: Cycle, ending: Ending, steps: Step[] = []): Promise<CycleOutcome> {
  await finishSteps(cycle, steps);
  await finishSteps(cycle, [closing(cycle, ending.outcome, ending.reason)]);
  const { cycleId, candidate } = cycle.status;
  return cycle.ended({ ...ending, model: cycle.model, cycleId, candidate });
}

/** A live cycle of another workflow holds the model: this run has nothing to do and nothing to end. */
export function alreadyRunning(cycle: Cycle, heldBy: string): CycleOutcome {
  return cycle.ended({
    outcome: 'skipped',
    reason: 'already_running',
    model: cycle.model,
    cycleId: null,
    candidate: null,
    champion: null,
    evidence: { held_by: heldBy },
  });
}
