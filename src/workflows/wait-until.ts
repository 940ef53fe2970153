import { condition } from '@temporalio/workflow';

/** Waits for an absolute time, or until `interrupted`. A durable timer: it outlives workers and servers. */
export async function waitUntil(time: number, interrupted: () => boolean): Promise<void> {
  const milliseconds = time - Date.now();
  // A timer of 0 would mean none.
  if (milliseconds > 0) await condition(interrupted, Math.max(1, milliseconds));
}
