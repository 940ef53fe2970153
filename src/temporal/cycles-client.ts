import { type Client, WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
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
  HaltMessage,
  PromoteMessage,
  ResumeMessage,
  RollbackInput,
  RollbackMessage,
} from './workflow-types.js';

/** Payload of every signal. */
export interface CycleSignals {
  promote: PromoteMessage;
  rollback: RollbackMessage;
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
