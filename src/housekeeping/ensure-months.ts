import type { Db } from '../db/index.js';
import { MONTHLY_TABLES, type Month, type MonthlyTable, monthOf } from './month.js';

/** Any fixed number: one server at a time makes partitions. */
const LOCK = 7_316_040_723;
const AHEAD = 2;
/** How far back rows are looked for that came without a partition for their month, as an import's may. */
const BACK = 60;
/** Fewer stay in the default partition: a month for a few strays costs every query more than it gains. */
const FEWEST = 1_000;
/** Moving more would lock readers out for long; a person decides when. */
const MOST = 200_000;

export interface EnsuredMonths {
  /** False: another server does it just now, and this one did nothing. */
  done: boolean;
  /** Made now, `interactions 2026-12`. */
  made: string[];
  /** Months with too many rows in the default partition to be moved unasked. */
  tooLarge: string[];
}

/**
 * Makes the partitions of this month and the next two, and of earlier months whose rows wait in the default partition.
 * Safe to call at once by many. Throws errors of the database, also when a table stays locked for five seconds.
 */
export async function ensureMonths(db: Pick<Db, 'pool'>, now = new Date()): Promise<EnsuredMonths> {
  const result: EnsuredMonths = { done: false, made: [], tooLarge: [] };
  const client = await db.pool.connect();
  let broken: Error | undefined;
  try {
    const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [LOCK]);
    if (!rows[0]!.locked) return result;
    result.done = true;
    await client.query("SET lock_timeout = '5s'");
    const make = async (table: MonthlyTable, month: Month) => {
      await client.query('SELECT ensure_month_partition($1, $2)', [table, month.from]);
      result.made.push(`${table} ${month.name}`);
    };
    for (const table of MONTHLY_TABLES) {
      const present = await client.query<{ name: string }>(
        `SELECT relname AS name FROM pg_class WHERE relname LIKE $1 AND relkind = 'r'`,
        [`${table}\\_%`],
      );
      const there = new Set(present.rows.map(({ name }) => name.slice(-7).replace('_', '-')));
      for (let later = 0; later <= AHEAD; later++) {
        const month = monthOf(now, later);
        if (!there.has(month.name)) await make(table, month);
      }
      for (let back = 1; back <= BACK; back++) {
        const month = monthOf(now, -back);
        if (there.has(month.name)) continue;
        const waiting = await client.query<{ n: number }>(
          `SELECT count(*)::int AS n FROM (SELECT FROM ${table}_default WHERE id >= uuid7_floor($1) AND id < uuid7_floor($2) LIMIT $3) few`,
          [month.from, month.to, MOST + 1],
        );
        const { n } = waiting.rows[0]!;
        if (n > MOST) result.tooLarge.push(`${table} ${month.name}`);
        else if (n >= FEWEST) await make(table, month);
      }
    }
    return result;
  } finally {
    await client.query('SET lock_timeout = DEFAULT; SELECT pg_advisory_unlock_all()').catch((failure: Error) => {
      broken = failure;
    });
    client.release(broken);
  }
}
