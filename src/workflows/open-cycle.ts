import { isCancellation, setDefaultSignalHandler, setHandler, workflowInfo } from '@temporalio/workflow';
import type { CycleInput, MessageAnswer } from '../temporal/workflow-types.js';
import * as activities from './activities.js';
import { asOf, Cycle } from './cycle.js';
import type { MessageName } from './cycle-messages.js';
import { failureOf, refusal } from './failures.js';
import * as messages from './messages.js';
import { whatWillHappen } from './what-will-happen.js';

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
  const phase = input.candidate === undefined ? 'collecting' : 'loading';
  const cycle = new Cycle(model, info.workflowId, info.originalExecutionRunId, trigger, phase);
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

/** Handlers only record: the phases look at what was recorded between their steps. Only an update's validator refuses. */
function listen(cycle: Cycle): void {
  setHandler(messages.promoteSignal, heard(cycle, 'promote'));
  setHandler(messages.rollbackSignal, heard(cycle, 'rollback'));
  setHandler(messages.extendSignal, heard(cycle, 'extend'));
  setHandler(messages.resumeSignal, heard(cycle, 'resume'));
  setHandler(messages.haltSignal, heard(cycle, 'halt'));
  setHandler(messages.promoteUpdate, answered(cycle, 'promote'), judged(cycle, 'promote'));
  setHandler(messages.rollbackUpdate, answered(cycle, 'rollback'), judged(cycle, 'rollback'));
  setHandler(messages.extendUpdate, answered(cycle, 'extend'), judged(cycle, 'extend'));
  setHandler(messages.resumeUpdate, answered(cycle, 'resume'), judged(cycle, 'resume'));
  setDefaultSignalHandler((name) => {
    cycle.messages.receiveUnknown(name);
    cycle.refresh();
  });
  setHandler(messages.statusQuery, () => cycle.status);
}

function heard(cycle: Cycle, name: MessageName): (payload: unknown) => void {
  return (payload) => {
    cycle.messages.receive(name, payload);
    cycle.refresh();
  };
}

function answered(cycle: Cycle, name: MessageName): (payload: unknown) => MessageAnswer {
  return (payload) => {
    const { taken, note } = cycle.messages.receive(name, payload);
    cycle.refresh();
    return { taken, note: taken ? whatWillHappen(cycle, name) : note };
  };
}

/** What is refused leaves no trace in the history. */
function judged(cycle: Cycle, name: MessageName): { validator: (payload: unknown) => void } {
  return {
    validator(payload) {
      const why = cycle.messages.refusal(name, payload);
      if (why !== null) throw refusal('message_refused', { detail: why });
    },
  };
}
