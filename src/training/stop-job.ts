import { setTimeout as sleep } from 'node:timers/promises';
import { UnderstudyError } from '../errors.js';
import { type Patience, withPatience } from './patience.js';
import type { TrainingProvider } from './training-provider.js';

/** A trainer may finish a step, or write a checkpoint, before it stops. */
const STOPS_WITHIN_MS = 10 * 60_000;

/**
 * Cancels a job and waits until it has really ended, however it ended: a job that still runs costs money and may still
 * write. A job the trainer does not know has ended. Throws `trainer_unreachable` when it will not end.
 */
export async function stopJob(provider: TrainingProvider, jobId: string, patience: Patience): Promise<void> {
  const givenUpAt = performance.now() + STOPS_WITHIN_MS;
  for (let pause = 100; ; pause = Math.min(pause * 2, 5_000)) {
    const job = await withPatience(patience, () => provider.readJob(jobId, patience.signal));
    if (job === undefined || job.state !== 'going') return;
    // Asked again each time: a cancel that was lost on the way costs nothing to repeat.
    await withPatience(patience, () => provider.cancelJob(jobId, patience.signal));
    if (performance.now() > givenUpAt) {
      throw new UnderstudyError('trainer_unreachable', {
        url: provider.url,
        detail: `job ${jobId} was cancelled but does not end`,
      });
    }
    patience.onRetry?.();
    await sleep(pause, undefined, { signal: patience.signal });
  }
}
