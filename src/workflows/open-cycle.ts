import { isCancellation, setDefaultSignalHandler, setHandler, workflowInfo } from '@temporalio/workflow';
import type { CycleInput } from '../temporal/workflow-types.js';
import * as activities from './activities.js';
import { asOf, Cycle } from './cycle.js';
import { failureOf } from './failures.js';
import { haltSignal, promoteSignal, resumeSignal, rollbackSignal, statusQuery } from './messages.js';

export type Opening = { opened: true; cycle: Cycle } | { opened: false; cycle: Cycle; heldBy: string };

/**
 * Takes the lease of the model and freezes its policy; from here on messages are heard. `opened: false` when the lease is
 * held by a live cycle of another workflow.
 * @throws ApplicationFailure unknown_model, invalid_policy, policy_below_floor, overrides_refused …
 */
export async function openCycle(input: CycleInput): Promise<Opening> {
  const info = workflowInfo();
  const { model, overrides = {} } = input;
  const trigger = input.trigger ?? 'manual';
  const cycle = new Cycle(model, info.workflowId, info.originalExecutionRunId, trigger);
  listen(cycle);
  try {
    const lease = await activities.openCycle({
      model,
      workflowId: info.workflowId,
      // Not the present run id: after a reset the same cycle goes on under another one, and must keep its own lease.
      runId: cycle.originalRunId,
      originalRunId: cycle.originalRunId,
      trigger,
      overrides,
      asOf: asOf(),
    });
    if (!lease.opened) return { opened: false, cycle, heldBy: lease.workflowId };
    const { opened: _opened, cycleId: id, ...facts } = lease;
    cycle.opened({ id, ...facts });
    return { opened: true, cycle };
  } catch (error) {
    if (isCancellation(error)) throw error;
    cycle.endedAs('failed');
    throw failureOf(error);
  }
}

/** Handlers only record: the phases look at what was recorded between their steps. */
function listen(cycle: Cycle): void {
  const heard = (receive: (payload: unknown) => void) => (payload: unknown) => {
    receive(payload);
    cycle.refresh();
  };
  const { messages } = cycle;
  setHandler(
    promoteSignal,
    heard((payload) => messages.receivePromote(payload)),
  );
  setHandler(
    rollbackSignal,
    heard((payload) => messages.receiveRollback(payload)),
  );
  setHandler(
    resumeSignal,
    heard((payload) => messages.receiveResume(payload)),
  );
  setHandler(
    haltSignal,
    heard((payload) => messages.receiveHalt(payload)),
  );
  setDefaultSignalHandler((name) => {
    messages.receiveUnknown(name);
    cycle.refresh();
  });
  setHandler(statusQuery, () => cycle.status);
}
