import { UnderstudyError } from '../errors.js';

export interface SharedCommitLimits {
  /** Transactions under way at once. */
  writers: number;
  /** Items in one transaction; a single job may be larger. */
  items: number;
  /** Items waiting; with more, new jobs are refused. */
  waiting: number;
  /** How long a job may wait for its transaction to begin, in milliseconds. */
  waitMs: number;
}

const LIMITS: SharedCommitLimits = { writers: 2, items: 2_000, waiting: 50_000, waitMs: 5_000 };

interface Waiting<Item> {
  items: readonly Item[];
  since: number;
  done(): void;
  failed(error: unknown): void;
}

/**
 * Lets jobs that arrive at the same time share a transaction: what comes while `writers` transactions are under way goes
 * into the next one. Nothing waits for company: a job that finds a writer free begins at once.
 *
 * @param write writes all items or none; when it throws, every job in it fails with that error
 * @returns resolves when the job's items are written; rejects with what `write` threw, or with `database_unreachable` for
 *   a job that found too many items waiting or waited too long: nothing of it was written then
 */
export function shareCommits<Item>(
  write: (items: readonly Item[]) => Promise<void>,
  limits: Partial<SharedCommitLimits> = {},
): (items: readonly Item[]) => Promise<void> {
  const { writers, items: most, waiting: mostWaiting, waitMs } = { ...LIMITS, ...limits };
  const queue: Waiting<Item>[] = [];
  let waiting = 0;
  let writing = 0;
  let alarm: NodeJS.Timeout | undefined;

  function take(): Waiting<Item>[] {
    let count = 0;
    let end = 0;
    while (end < queue.length && (end === 0 || count + queue[end]!.items.length <= most)) {
      count += queue[end]!.items.length;
      end += 1;
    }
    waiting -= count;
    return queue.splice(0, end);
  }

  async function work(): Promise<void> {
    writing += 1;
    while (queue.length > 0) {
      const jobs = take();
      try {
        await write(jobs.flatMap(({ items }) => items));
        for (const { done } of jobs) done();
      } catch (error) {
        for (const { failed } of jobs) failed(error);
      }
    }
    writing -= 1;
  }

  /** While Postgres hangs no transaction ends, and nobody else would tell those who wait. */
  function refuseLate(): void {
    alarm = undefined;
    const now = performance.now();
    const late = queue.findIndex(({ since }) => now - since < waitMs);
    for (const { items, failed } of queue.splice(0, late < 0 ? queue.length : late)) {
      waiting -= items.length;
      failed(new UnderstudyError('database_unreachable', { detail: 'it is too slow' }));
    }
    watch();
  }

  function watch(): void {
    const [oldest] = queue;
    if (alarm !== undefined || oldest === undefined) return;
    alarm = setTimeout(refuseLate, Math.max(1, oldest.since + waitMs - performance.now()));
    alarm.unref();
  }

  return (items) =>
    new Promise((resolve, reject) => {
      if (waiting > 0 && waiting + items.length > mostWaiting) {
        return reject(new UnderstudyError('database_unreachable', { detail: 'too much is waiting for it' }));
      }
      queue.push({ items, since: performance.now(), done: resolve, failed: reject });
      waiting += items.length;
      if (writing < writers) void work();
      else watch();
    });
}
