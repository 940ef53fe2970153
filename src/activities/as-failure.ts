import { ApplicationFailure, type Context } from '@temporalio/activity';
import { CancelledFailure, TemporalFailure } from '@temporalio/common';
import { errorDetail, UnderstudyError } from '../errors.js';
import { currentActivity } from './in-activity.js';

/** SQLSTATE classes 08 (connection), 53 (resources), 57P (shutdown), Node's and Prisma's codes for the same. */
const DATABASE_AWAY = /^(08|53|57P|ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|P100[12378]|P1017|P2024|P2028)/;

/**
 * What Temporal is told about an error: its type is a code of errors.ts, which says whether a retry may help. Whatever is
 * not of the table loses its message, because the messages of drivers quote values, and values may be conversations.
 */
export function asFailure(error: unknown): Error {
  const activity = currentActivity();
  // A cancelled step ends as cancelled, whatever the abort broke on its way.
  if (activity?.cancellationSignal.aborted) return new CancelledFailure('the step was cancelled');
  if (error instanceof TemporalFailure) return error;
  const known = error instanceof UnderstudyError ? error : translate(error, activity);
  return ApplicationFailure.create({
    message: known.message.slice(0, 400),
    type: known.code,
    nonRetryable: !known.retryable,
  });
}

/** An error nobody expected leaves its type, code and frames in the log; its message goes nowhere. */
function translate(error: unknown, activity: Context | undefined): UnderstudyError {
  const detail = errorDetail(error);
  if (DATABASE_AWAY.test(detail)) return new UnderstudyError('database_unreachable', { detail });
  const frames = error instanceof Error ? (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line)) : [];
  activity?.log.error('step failed unexpectedly', { detail, frames: frames.slice(0, 12).map((line) => line.trim()) });
  const step = activity === undefined ? '' : `${activity.info.activityType} `;
  return new UnderstudyError('internal', { request: `of this step: ${step}(${detail})` });
}
