import { setTimeout as sleep } from 'node:timers/promises';
import { UnderstudyError } from '../errors.js';

export interface Patience {
  /** How long a trainer may be away before that is an error, in milliseconds. */
  patienceMs: number;
  signal?: AbortSignal | undefined;
  /** Called before each new try, so that somebody who waits knows that we still do. */
  onRetry?: (() => void) | undefined;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 8_000;

/** Tries again while the trainer is away, with growing pauses, up to `patienceMs`; then throws its `trainer_unreachable`. */
export async function withPatience<T>(
  { patienceMs, signal, onRetry }: Patience,
  attempt: () => Promise<T>,
): Promise<T> {
  const givenUpAt = performance.now() + patienceMs;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    try {
      return await attempt();
    } catch (error) {
      const away = error instanceof UnderstudyError && error.code === 'trainer_unreachable';
      if (!away || performance.now() + pause > givenUpAt) throw error;
      onRetry?.();
      await sleep(pause, undefined, { signal });
    }
  }
}
