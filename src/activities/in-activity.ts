import { Context } from '@temporalio/activity';

/** Aborted when the activity is cancelled; nothing outside of one, e.g. when a test calls the function directly. */
export function cancellation(): { signal?: AbortSignal } {
  const activity = currentActivity();
  return activity === undefined ? {} : { signal: activity.cancellationSignal };
}

/** A sign of life with progress; nothing outside of an activity. Never throws. */
export function heartbeat(details?: unknown): void {
  currentActivity()?.heartbeat(details);
}

/** Undefined outside of an activity. */
export function currentActivity(): Context | undefined {
  try {
    return Context.current();
  } catch {
    return undefined;
  }
}
