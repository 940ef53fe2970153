import { formatDuration } from '../policy/duration.js';

/** What an extension weighs in the history of a cycle, in looks. */
const WEIGHT = 2;

/** The looks of the experiment that is going on; durations in milliseconds. */
export interface Horizon {
  startedAt: number;
  minDurationMs: number;
  lookEveryMs: number;
  /** With the extensions so far. */
  maxDurationMs: number;
  extensions: number;
  /** After the first one, in a history without extensions. */
  mostLooks: number;
}

/** When the last look comes, epoch milliseconds. */
export function endOf({ startedAt, maxDurationMs }: Horizon): number {
  return startedAt + maxDurationMs;
}

/** The most by which an experiment may still be extended, so that the history of its cycle stays within its budget; ≤ 0: not at all. */
export function mostExtension({ minDurationMs, lookEveryMs, maxDurationMs, extensions, mostLooks }: Horizon): number {
  return (mostLooks - WEIGHT * (extensions + 1)) * lookEveryMs - (maxDurationMs - minDurationMs);
}

/** Why an experiment cannot be extended by so much; null when it can. */
export function tooLong(horizon: Horizon, byMs: number): string | null {
  const most = mostExtension(horizon);
  if (byMs <= most) return null;
  if (most < 1_000) return 'this experiment cannot be extended any more: its looks fill the history of the cycle';
  return `at most ${formatDuration(Math.floor(most / 1_000) * 1_000)} more, so that the history of the cycle holds its looks`;
}

/** The experiment with so much more time. */
export function extendedBy(horizon: Horizon, byMs: number): Horizon {
  return { ...horizon, maxDurationMs: horizon.maxDurationMs + byMs, extensions: horizon.extensions + 1 };
}
