import type { Logger } from 'pino';
import { type Passes, runPasses } from '../background/index.js';
import type { Db } from '../db/index.js';
import { errorDetail } from '../errors.js';
import type { Pruned } from '../retention/index.js';
import { ensureMonths } from './ensure-months.js';

const DAY = 86_400_000;
const HOUR = 3_600_000;

export type Housekeeping = Pick<Passes<void>, 'stop'>;

/**
 * Makes the coming months' partitions and drops adapters that retention lets go, at the start and once a day; an hour later
 * again when months failed. Two months are made ahead, so that nothing is lost or slow when a day of it fails.
 */
export function startHousekeeping(
  db: Pick<Db, 'pool'>,
  logger: Pick<Logger, 'info' | 'warn'>,
  options: { everyMs?: number; afterFailureMs?: number; prune?: () => Promise<Pruned> } = {},
): Housekeeping {
  const { everyMs = DAY, afterFailureMs = HOUR, prune } = options;

  /** Whether the months are there. */
  async function makeMonths(): Promise<boolean> {
    try {
      const { made, tooLarge } = await ensureMonths(db);
      if (made.length > 0) logger.info({ made }, 'months made');
      if (tooLarge.length > 0)
        logger.warn({ months: tooLarge }, 'months wait in the default partition: see docs/scale.md');
      return true;
    } catch (error) {
      logger.warn({ detail: errorDetail(error) }, 'months not made; again later');
      return false;
    }
  }
  async function dropAdapters(): Promise<void> {
    try {
      const { dropped = [], swept = [], failed = [] } = (await prune?.()) ?? {};
      const names = dropped.map(({ model, version }) => `${model}@${version}`);
      if (names.length + swept.length > 0) logger.info({ dropped: names, swept }, 'adapters dropped');
      if (failed.length > 0) logger.warn({ failed }, 'adapters not dropped; again tomorrow');
    } catch (error) {
      logger.warn({ detail: errorDetail(error) }, 'adapters not looked at; again tomorrow');
    }
  }
  return runPasses(
    async (stopping) => {
      const made = await makeMonths();
      if (!stopping.aborted) await dropAdapters();
      return made;
    },
    {
      everyMs: (made) => (made === false ? afterFailureMs : everyMs),
      atOnce: true,
      onFailure: (error) => logger.warn({ detail: errorDetail(error) }, 'housekeeping failed; again later'),
    },
  );
}
