import type { Logger } from 'pino';
import { redactCaptured } from '../interactions/index.js';
import type { CaptureQueue } from './capture-queue.js';

/** Beyond this, in memory, captures that wait to be redacted are dropped. */
const MAX_BYTES = 64 * 1_024 * 1_024;
const REPORT_EVERY_MS = 10_000;

/**
 * A queue that redacts the interactions of some models before it takes them, and so before they can reach the spool.
 * Redacting is done behind the request's back and in turns, see `inTurns`; one interaction at a time, in their order.
 * What has no room to wait, or cannot be redacted, is dropped, counted and logged: it is never stored as it came.
 */
export function redactCaptures(queue: CaptureQueue, redacts: (model: string) => boolean, logger: Logger): CaptureQueue {
  let last: Promise<void> = Promise.resolve();
  let waiting = 0;
  let bytes = 0;
  let dropped = 0;
  let reportedAt = Number.NEGATIVE_INFINITY;

  function drop(why: string): void {
    dropped += 1;
    if (performance.now() - reportedAt < REPORT_EVERY_MS) return;
    reportedAt = performance.now();
    logger.error({ dropped, waiting, why }, 'captures are being dropped before they were redacted');
  }

  return {
    ...queue,
    interaction(item, size) {
      if (!redacts(item.model)) return queue.interaction(item, size);
      if (bytes + size > MAX_BYTES) return drop('no room');
      waiting += 1;
      bytes += size;
      last = last
        .then(async () => queue.interaction(await redactCaptured(item), size))
        .catch(() => drop('not redacted'))
        .finally(() => {
          waiting -= 1;
          bytes -= size;
        });
    },
    stats() {
      const stats = queue.stats();
      return { ...stats, queued: stats.queued + waiting, dropped: stats.dropped + dropped };
    },
    async close(limitMs) {
      await last;
      await queue.close(limitMs);
    },
  };
}
