import {
  type Client,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { UnderstudyError } from '../errors.js';
import { unreachable } from './connect.js';
import { TASK_QUEUE } from './task-queues.js';
import {
  cycleWorkflowId,
  RETRAINING_CYCLE,
  ROLLBACK,
  rollbackWorkflowId,
  SIGNALS,
  STATUS_QUERY,
} from './workflow-names.js';
import type {
  CycleInput,
  CycleStatus,
  ExtendMessage,
  HaltMessage,
  MessageAnswer,
  PromoteMessage,
  ResumeMessage,
  RollbackInput,
  RollbackMessage,
} from './workflow-types.js';

/** Payload of every signal. */
export interface CycleSignals {
  promote: PromoteMessage;
  rollback: RollbackMessage;
  extend: ExtendMessage;
  resume: ResumeMessage;
  halt: HaltMessage;
}

export interface StartedWorkflow {
  workflowId: string;
  runId: string;
}

/**
 * Starts the cycle of a model.
 * @throws UnderstudyError already_running, temporal_unreachable
 */
export async function startCycle(client: Client, input: CycleInput): Promise<StartedWorkflow> {
  const workflowId = cycleWorkflowId(input.model);
  try {
    const handle = await client.workflow.start(RETRAINING_CYCLE, { workflowId, taskQueue: TASK_QUEUE, args: [input] });
    return { workflowId, runId: handle.firstExecutionRunId };
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) {
      throw new UnderstudyError('already_running', { model: input.model, workflow: workflowId });
    }
    throw failed(client, error);
  }
}

/**
 * Starts a rollback.
 * @throws UnderstudyError conflict when one is going on, temporal_unreachable
 */
export async function startRollback(client: Client, input: RollbackInput): Promise<StartedWorkflow> {
  const workflowId = rollbackWorkflowId(input.model);
  try {
    const handle = await client.workflow.start(ROLLBACK, { workflowId, taskQueue: TASK_QUEUE, args: [input] });
    return { workflowId, runId: handle.firstExecutionRunId };
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) {
      throw new UnderstudyError('conflict', {
        detail: `A rollback of "${input.model}" is going on (workflow ${workflowId}).`,
      });
    }
    throw failed(client, error);
  }
}

/**
 * Sends a message to the running cycle of a model. The cycle judges it: see the messages in its status.
 * @returns false when no cycle is running
 * @throws UnderstudyError temporal_unreachable
 */
export async function signalCycle<S extends keyof CycleSignals>(
  client: Client,
  model: string,
  signal: S,
  message: CycleSignals[S],
): Promise<boolean> {
  try {
    await client.workflow.getHandle(cycleWorkflowId(model)).signal(SIGNALS[signal], message);
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw failed(client, error);
  }
}

/** What became of a message that had to be answered. */
export interface Heard {
  /** `waiting`: no worker answers now; the cycle judges the message once one does. */
  status: 'taken' | 'waiting';
  /** What will happen. */
  note: string;
}

/**
 * Sends a message to the running cycle of a model and waits for what it makes of it. Where no worker answers in time, the
 * message is left for the cycle, as a signal. The same update id again answers what the first one did.
 * @returns null when no cycle is running
 * @throws UnderstudyError message_refused with the cycle's reason, temporal_unreachable
 */
export async function askCycle<S extends Exclude<keyof CycleSignals, 'halt'>>(
  client: Client,
  model: string,
  name: S,
  message: CycleSignals[S],
  { updateId, timeoutMs = 5_000 }: { updateId: string; timeoutMs?: number },
): Promise<Heard | null> {
  try {
    const handle = client.workflow.getHandle(cycleWorkflowId(model));
    const { taken, note } = await client.withDeadline(Date.now() + timeoutMs, () =>
      handle.executeUpdate<MessageAnswer, [CycleSignals[S]]>(SIGNALS[name], { args: [message], updateId }),
    );
    if (taken) return { status: 'taken', note };
    throw new UnderstudyError('message_refused', { detail: note });
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    const refused = refusalOf(error);
    if (refused !== null) throw refused;
  }
  // In time for whoever waits for this answer.
  const heard = await client.withDeadline(Date.now() + timeoutMs, () => signalCycle(client, model, name, message));
  return heard ? { status: 'waiting', note: 'No worker answers now; the cycle judges it when one does.' } : null;
}

/** The cycle's own refusal; null for anything else, a worker that does not know the update included. */
function refusalOf(error: unknown): UnderstudyError | null {
  if (error instanceof UnderstudyError) return error;
  if (!(error instanceof WorkflowUpdateFailedError) || !(error.cause instanceof ApplicationFailure)) return null;
  const { type, message } = error.cause;
  if (type !== 'message_refused') return null;
  // The message is whole already; its detail stands behind the first colon.
  return new UnderstudyError('message_refused', { detail: message.replace(/^[^:]*: /, '').replace(/\.$/, '') });
}

/**
 * How the watch loop tells a cycle that it has taken its second arm off the route. A cycle that has ended needs no telling.
 * Throws `temporal_unreachable`; then it is told later, or finds the moved route at its next look by itself.
 */
export function tellCycle(
  client: Client,
): (workflowId: string, halt: { experiment: string; evidence: Record<string, unknown> }) => Promise<void> {
  return async (workflowId, halt) => {
    try {
      // The loop must go on looking after the other experiments.
      await client.withDeadline(Date.now() + 5_000, () =>
        client.workflow.getHandle(workflowId).signal(SIGNALS.halt, halt),
      );
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw failed(client, error);
    }
  };
}

/**
 * What the newest cycle of a model says of itself; also one that has ended, while Temporal keeps it and a worker runs.
 * @returns null when there is none
 * @throws UnderstudyError temporal_unreachable, also when no worker answers within `timeoutMs` (default 5 s)
 */
export async function cycleStatus(client: Client, model: string, timeoutMs = 5_000): Promise<CycleStatus | null> {
  try {
    return await client.withDeadline(Date.now() + timeoutMs, () =>
      client.workflow.getHandle(cycleWorkflowId(model)).query<CycleStatus>(STATUS_QUERY),
    );
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw failed(client, error);
  }
}

/** Ends the running cycle of a model, undoing what it did. False when none is running. */
export async function cancelCycle(client: Client, model: string): Promise<boolean> {
  try {
    await client.workflow.getHandle(cycleWorkflowId(model)).cancel();
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw failed(client, error);
  }
}

function failed(client: Client, error: unknown): UnderstudyError {
  const { options } = client.connection as { options?: { address?: string } };
  return unreachable(options?.address ?? 'TEMPORAL_ADDRESS', error);
}
