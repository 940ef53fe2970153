import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Db } from '../db/index.js';
import { errorDetail } from '../errors.js';
import { type CapturedInteraction, type Exposure, recordExposures, storeCaptured } from '../interactions/index.js';
import { openKnownExposures } from './known-exposures.js';
import type { Spool } from './spool.js';
import { type Captured, captureOf, captureText } from './spooled-capture.js';

export interface CaptureStats {
  /** Interactions stored. */
  captured: number;
  /** Exposures recorded; those of a subject that comes back soon are one. */
  exposures: number;
  /** Interactions and exposures that wait in memory. */
  queued: number;
  /** Interactions and exposures written to the spool since the start. */
  spooled: number;
  /** Interactions and exposures of the spool given to Postgres since the start, those of an earlier server included. */
  replayed: number;
  /** Lines of the spool that were not written whole, and so are lost. */
  torn: number;
  /** What lies in the spool now. */
  spoolBytes: number;
  /** Interactions and exposures given up: no room, refused by Postgres, or left at the end. */
  dropped: number;
}

export interface CaptureQueue {
  /** @param bytes about what it takes in memory */
  interaction(item: CapturedInteraction, bytes: number): void;
  exposure(item: Exposure): void;
  /** Tries to write the exposures that wait now; resolves when they are written or that failed. */
  exposuresStored(): Promise<void>;
  stats(): CaptureStats;
  /** Writes everything that waits, for at most `limitMs`; what is left then stays in the spool or is counted as dropped. */
  close(limitMs?: number): Promise<void>;
}

export interface CaptureLimits {
  /** How long an item waits for others before it is written. */
  delayMs: number;
  /** So many are written at once without waiting. */
  batch: number;
  /** Beyond these, new items are dropped. */
  items: number;
  bytes: number;
  /** Writing that takes longer is slow: what waits goes to the spool meanwhile. */
  slowMs: number;
}

const LIMITS: CaptureLimits = { delayMs: 50, batch: 200, items: 20_000, bytes: 64 * 1_024 * 1_024, slowMs: 1_000 };
const LARGEST_BATCH = 1_000;
const LONGEST_WAIT_MS = 2_000;
const REPORT_EVERY_MS = 10_000;

/**
 * Keeps captures in memory and writes them in batches behind the requests' back, so that no request waits for Postgres or
 * fails with it. While Postgres is away or slow, or memory is full, everything goes to the spool and from there, oldest
 * first, to Postgres. When the spool is full too (or there is none) it waits in memory; what is dropped is counted and logged.
 */
export function openCaptureQueue(
  db: Pick<Db, 'pool'>,
  logger: Logger,
  limits: Partial<CaptureLimits> = {},
  spool?: Spool,
): CaptureQueue {
  const { delayMs, batch, items, bytes: maxBytes, slowMs } = { ...LIMITS, ...limits };
  const waiting: { item: CapturedInteraction; bytes: number }[] = [];
  const exposures = new Map<string, Exposure>();
  const known = openKnownExposures();
  const stats = { captured: 0, exposures: 0, dropped: 0, spooled: 0, replayed: 0, torn: 0 };
  let bytes = 0;
  let timer: NodeJS.Timeout | undefined;
  let flushing: Promise<boolean> | undefined;
  let failures = 0;
  let reportedAt = Number.NEGATIVE_INFINITY;
  let closed = false;
  /** Since Postgres last failed or was slow; over when it takes something. */
  let behind = false;

  function drop(count: number, why: string): void {
    stats.dropped += count;
    if (performance.now() - reportedAt < REPORT_EVERY_MS) return;
    reportedAt = performance.now();
    logger.error(
      { dropped: stats.dropped, queued: waiting.length + exposures.size, why },
      'captures are being dropped',
    );
  }

  function schedule(): void {
    if (timer !== undefined || flushing !== undefined || closed) return;
    if (waiting.length + exposures.size === 0 && spooledBytes() === 0) return;
    const retryMs = Math.min(LONGEST_WAIT_MS, 100 * 2 ** (failures - 1));
    const full = waiting.length >= batch || spooledBytes() > 0;
    timer = setTimeout(() => void flush().then(schedule), failures > 0 ? retryMs : full ? 0 : delayMs);
    timer.unref();
  }

  const spooledBytes = () => spool?.bytes() ?? 0;

  function toSpool(captured: Captured): boolean {
    if (spool === undefined) return false;
    const text = captureText(captured);
    if (text === undefined || !spool.append(text)) return false;
    stats.spooled += 1;
    return true;
  }

  /** Everything in memory to the spool, as far as it has room. Exposures first, as in `write`. */
  function spill(): void {
    if (spool === undefined) return;
    for (const [key, exposure] of exposures) {
      if (!toSpool({ exposure })) return;
      exposures.delete(key);
    }
    let kept = 0;
    while (kept < waiting.length && toSpool({ interaction: waiting[kept]!.item })) bytes -= waiting[kept++]!.bytes;
    waiting.splice(0, kept);
  }

  /** True when it went to the spool: what is there already is older, and nothing in memory waits for room. */
  function passedOn(captured: Captured): boolean {
    return (behind || spooledBytes() > 0) && waiting.length + exposures.size === 0 && toSpool(captured);
  }

  /** One batch of the spool. Storing twice changes nothing, so a crash before `done` costs nothing. */
  async function replay(): Promise<void> {
    const found = spool?.next(LARGEST_BATCH / 2);
    if (found === undefined) return;
    const captured = found.texts.map(captureOf);
    const exposed = captured.flatMap(({ exposure }) => exposure ?? []);
    const taken = captured.flatMap(({ interaction }) => interaction ?? []);
    await recordExposures(db, exposed);
    const { refused } = await storeCaptured(db, taken);
    found.done();
    stats.exposures += exposed.length;
    stats.captured += taken.length - refused.length;
    stats.replayed += captured.length;
    stats.torn += found.torn;
    if (found.torn > 0) logger.error({ torn: found.torn }, 'lines of the spool were not whole');
    reportRefused(refused);
  }

  function reportRefused(refused: readonly string[]): void {
    if (refused.length === 0) return;
    logger.error({ interactions: refused.slice(0, 20) }, 'Postgres refused to store interactions');
    drop(refused.length, 'refused');
  }

  /** True when everything it took was written. One at a time. */
  function flush(): Promise<boolean> {
    clearTimeout(timer);
    timer = undefined;
    flushing ??= write().finally(() => {
      flushing = undefined;
    });
    return flushing;
  }

  async function write(): Promise<boolean> {
    const slow = setTimeout(() => {
      behind = true;
      spill();
    }, slowMs);
    slow.unref();
    try {
      // What the spool holds is older.
      if (spooledBytes() > 0) await replay();
      else await writeMemory();
      if (failures > 0) logger.info({ queued: waiting.length }, 'captures are being written again');
      failures = 0;
      behind = false;
      return true;
    } catch (error) {
      failures += 1;
      behind = true;
      spill();
      if (failures === 1)
        logger.warn({ detail: errorDetail(error), queued: waiting.length }, 'captures wait for Postgres');
      return false;
    } finally {
      clearTimeout(slow);
    }
  }

  async function writeMemory(): Promise<void> {
    // Exposures first: a look must not see an interaction of a subject it does not know.
    const exposed = [...exposures].slice(0, LARGEST_BATCH);
    await recordExposures(
      db,
      exposed.map(([, exposure]) => exposure),
    );
    // What went to the spool meanwhile is counted when it is replayed.
    for (const [key, exposure] of exposed) {
      known.add(key);
      if (exposures.get(key) === exposure && exposures.delete(key)) stats.exposures += 1;
    }
    const taken = waiting.slice(0, LARGEST_BATCH);
    const { refused } =
      taken.length === 0
        ? { refused: [] }
        : await storeCaptured(
            db,
            taken.map(({ item }) => item),
          );
    const left = new Set(waiting.slice(0, taken.length));
    const stored = taken.filter((entry) => left.has(entry));
    waiting.splice(0, stored.length);
    for (const { bytes: freed } of stored) bytes -= freed;
    const own = refused.filter((id) => stored.some(({ item }) => item.id === id));
    stats.captured += stored.length - own.length;
    reportRefused(own);
  }

  // What an earlier server left, now or when it turns out to be dead.
  const look = setInterval(schedule, 1_000);
  look.unref();
  schedule();

  return {
    interaction(item, size) {
      if (!closed && passedOn({ interaction: item })) return schedule();
      if (!closed && (waiting.length >= items || bytes + size > maxBytes)) spill();
      if (closed || waiting.length >= items || bytes + size > maxBytes) return drop(1, closed ? 'closed' : 'no room');
      waiting.push({ item, bytes: size });
      bytes += size;
      if (waiting.length >= batch && timer !== undefined && failures === 0) {
        clearTimeout(timer);
        timer = undefined;
      }
      schedule();
    },
    exposure(item) {
      const key = `${item.experimentId} ${item.subject} ${item.arm}`;
      if (known.has(key) || exposures.has(key)) return;
      if (!closed && passedOn({ exposure: item })) return schedule();
      if (!closed && exposures.size >= items) spill();
      if (closed || exposures.size >= items) return drop(1, closed ? 'closed' : 'no room');
      exposures.set(key, item);
      schedule();
    },
    async exposuresStored() {
      // One more: a writing under way may have started before the newest of them came.
      const writings = Math.ceil(exposures.size / LARGEST_BATCH) + 1;
      for (let n = 0; n < writings && exposures.size > 0; n++) if (!(await flush())) break;
      schedule();
    },
    stats: () => ({ ...stats, queued: waiting.length + exposures.size, spoolBytes: spooledBytes() }),
    async close(limitMs = 5_000) {
      closed = true;
      clearInterval(look);
      clearTimeout(timer);
      const deadline = performance.now() + limitMs;
      while (waiting.length + exposures.size + spooledBytes() > 0 && performance.now() < deadline) {
        const written = await Promise.race([flush(), sleep(deadline - performance.now(), false, { ref: false })]);
        // What is in the spool keeps.
        if (!written && waiting.length + exposures.size === 0) break;
        if (!written) await sleep(Math.min(100, Math.max(0, deadline - performance.now())));
      }
      spill();
      spool?.close();
      const left = waiting.length + exposures.size;
      if (left === 0) return;
      stats.dropped += left;
      logger.error({ dropped: stats.dropped, left }, 'captures were lost: Postgres did not take them before the end');
      waiting.length = 0;
      exposures.clear();
    },
  };
}
