/**
 * What programs outside the worker call things: workflow types, ids, signals, the query. Pure constants, so that command
 * line, HTTP and monitoring can name a workflow without loading its code, and the workflows use the same words.
 */

export const RETRAINING_CYCLE = 'retrainingCycle';
export const ROLLBACK = 'rollback';

/** Workflow id of the one cycle that a model may have at a time. */
export function cycleWorkflowId(model: string): string {
  return `retraining-cycle-${model}`;
}

/** Workflow id of a rollback of a model. */
export function rollbackWorkflowId(model: string): string {
  return `rollback-${model}`;
}

/**
 * Signals of a cycle; payloads are in workflow-types.ts. All but `halt` are updates, too: an update is refused with a reason
 * or answered with what will happen, a signal waits until a worker runs and is judged then.
 */
export const SIGNALS = {
  promote: 'promote',
  rollback: 'rollback',
  extend: 'extend',
  resume: 'resume',
  halt: 'halt',
} as const;

export type SignalName = keyof typeof SIGNALS;

/** Query of a cycle; answers a `CycleStatus`. */
export const STATUS_QUERY = 'status';
