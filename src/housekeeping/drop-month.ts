import { type Db, inTransaction } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import { listMonths } from './list-months.js';
import type { Month, MonthlyTable } from './month.js';
import { whyNeeded } from './needed.js';

export interface DroppedMonth {
  table: MonthlyTable;
  month: string;
  /** As estimated before, see `StoredMonth`. Rows that waited in the default partition are not in it. */
  rows: number;
  bytes: number;
  /** What needed it and was overruled. */
  forced: string[];
}

const ATTEMPTS = 5;
/** Queries that come after a waiting DROP wait with it, so that it gives up rather than hold them up. */
const LOCK_TIMEOUT = '2s';

/**
 * Drops one month of a table, in one statement and at once, however many rows it has. Datasets keep what they froze.
 *
 * Throws `month_needed` unless `force`, and `conflict` when long-running queries hold the table: try again then.
 */
export async function dropMonth(
  db: Pick<Db, 'pool' | 'prisma'>,
  { table, month, force, now = new Date() }: { table: MonthlyTable; month: Month; force: boolean; now?: Date },
): Promise<DroppedMonth> {
  const needed = await whyNeeded(db, month, now);
  if (needed.length > 0 && !force) {
    throw new UnderstudyError('month_needed', { table, month: month.name, why: needed.slice(0, 3).join('; ') });
  }
  const stored = (await listMonths(db)).find((known) => known.table === table && known.month === month.name);
  await dropWhenFree(db, table, month);
  return { table, month: month.name, rows: stored?.rows ?? 0, bytes: stored?.bytes ?? 0, forced: needed };
}

async function dropWhenFree(db: Pick<Db, 'pool'>, table: MonthlyTable, month: Month): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await inTransaction(db, async (client) => {
        await client.query(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`);
        await client.query('SELECT drop_month_partition($1, $2)', [table, month.from]);
      });
    } catch (error) {
      if ((error as { code?: unknown }).code !== '55P03') throw error;
      if (attempt === ATTEMPTS) {
        throw new UnderstudyError('conflict', {
          detail: `Queries that run for long hold ${table}: nothing was dropped. Try again when they are done.`,
        });
      }
    }
  }
}
