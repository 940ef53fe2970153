import { ActivityFailure, ApplicationFailure, isCancellation, TimeoutFailure } from '@temporalio/workflow';
import { type ErrorCode, UnderstudyError } from '../errors.js';

/** Failures that no resume can cure: the product is wrong, or the run has no right to go on. Everything else can be waited out. */
const FINAL: ReadonlySet<string> = new Set<ErrorCode>([
  'training_failed',
  'training_cancelled',
  'training_too_long',
  'adapter_refused',
  'adapter_digest_mismatch',
  'adapter_base_mismatch',
  'lease_lost',
  'unknown_model',
  'policy_below_floor',
]);

export interface Problem {
  /** A code of errors.ts. */
  type: string;
  /** At most 200 characters. */
  message: string;
  /** Waiting and trying again cannot help. */
  final: boolean;
}

/** What stands behind a failed step, in words for an operator. */
export function problemOf(error: unknown): Problem {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof ApplicationFailure) {
    const type = cause.type ?? 'internal';
    return { type, message: cause.message.slice(0, 200), final: FINAL.has(type) };
  }
  if (cause instanceof TimeoutFailure) {
    const step = error instanceof ActivityFailure ? error.activityType : 'a step';
    return { type: 'step_timed_out', message: timedOut(step).message, final: false };
  }
  return {
    type: 'internal',
    message: (cause instanceof Error ? cause.name : 'unknown error').slice(0, 200),
    final: false,
  };
}

/** The failure that a workflow ends with: its type is a code of errors.ts. Anything that is not one would be retried for ever. */
export function failureOf(error: unknown): ApplicationFailure {
  const { type, message } = problemOf(error);
  return ApplicationFailure.create({ message, type, nonRetryable: true });
}

/** Turns an error of the table into the failure of a workflow. */
export function refusal(code: ErrorCode, details: Record<string, unknown>): ApplicationFailure {
  return ApplicationFailure.create({
    message: new UnderstudyError(code, details).message,
    type: code,
    nonRetryable: true,
  });
}

/** Did this step fail with that code? */
export function failedWith(error: unknown, code: ErrorCode): boolean {
  return !isCancellation(error) && problemOf(error).type === code;
}

function timedOut(step: string): UnderstudyError {
  return new UnderstudyError('step_timed_out', { step });
}
