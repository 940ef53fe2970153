import type { Logger } from 'pino';
import type { Db } from '../db/index.js';
import { errorDetail } from '../errors.js';
import type { Pruned } from '../retention/index.js';
import { ensureMonths } from './ensure-months.js';

const DAY = 86_400_000;
const HOUR = 3_600_000;

export interface Housekeeping {
  /** Ends it after what is under way. */
  stop(): Promise<void>;
}

/**
 * Makes the coming months' partitions and drops adapters that retention lets go, at the start and once a day; an hour later
 * again when months failed. Two months are made ahead, so that nothing is lost or slow when a day of it fails.
 */
export function startHousekeeping(
  db: Pick<Db, 'pool'>,
  logger: Pick<Logger, 'info' | 'warn'>,
  options: { everyMs?: number; afterFailureMs?: number; prune?: () => Promise<Pruned> } = {},
): Housekeeping {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  async function pass(): Promise<number> {
    try {
      const { made, tooLarge } = await ensureMonths(db);
      if (made.length > 0) logger.info({ made }, 'months made');
      if (tooLarge.length > 0)
        logger.warn({ months: tooLarge }, 'months wait in the default partition: see docs/scale.md');
      return options.everyMs ?? DAY;
    } catch (error) {
      logger.warn({ detail: errorDetail(error) }, 'months not made; again later');
      return options.afterFailureMs ?? HOUR;
    }
  }
  async function pruneOnce(): Promise<void> {
    if (options.prune === undefined) return;
    try {
      const { dropped, swept, failed } = await options.prune();
      const names = dropped.map(({ model, version }) => `${model}@${version}`);
      if (names.length + swept.length > 0) logger.info({ dropped: names, swept }, 'adapters dropped');
      if (failed.length > 0) logger.warn({ failed }, 'adapters not dropped; again tomorrow');
    } catch (error) {
      logger.warn({ detail: errorDetail(error) }, 'adapters not looked at; again tomorrow');
    }
  }
  let current: Promise<void>;
  function run(): void {
    current = pass().then(async (wait) => {
      if (!stopped) await pruneOnce();
      if (stopped) return;
      timer = setTimeout(run, wait);
      timer.unref();
    });
  }
  run();
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await current;
    },
  };
}
