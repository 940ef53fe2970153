import type pg from 'pg';
import { type Db, inTransaction } from '../db/index.js';

const ATTEMPTS = 4;
/** Deadlock and serialization failure: the transaction did nothing and may be tried again at once. */
const RACES = new Set(['40P01', '40001']);

/**
 * Writes rows in one transaction. When Postgres refuses a value in it (too deep, too large), the rows are halved until
 * the ones it refuses are alone: those go to `refuse`, all others are written. Everything else is thrown.
 */
export async function writeRows<Row>(
  db: Pick<Db, 'pool'>,
  rows: readonly Row[],
  write: (client: pg.PoolClient, rows: readonly Row[]) => Promise<void>,
  refuse: (row: Row, code: string) => void,
): Promise<void> {
  if (rows.length === 0) return;
  try {
    await retryRaces(db, (client) => write(client, rows));
  } catch (error) {
    const code = refusedValue(error);
    if (code === undefined) throw error;
    if (rows.length === 1) return refuse(rows[0]!, code);
    const middle = rows.length >> 1;
    await writeRows(db, rows.slice(0, middle), write, refuse);
    await writeRows(db, rows.slice(middle), write, refuse);
  }
}

/** Does `work` in one transaction, again when it only lost a race. */
export async function retryRaces(db: Pick<Db, 'pool'>, work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await inTransaction(db, work);
    } catch (error) {
      if (attempt === ATTEMPTS || !RACES.has(codeOf(error) ?? '')) throw error;
    }
  }
}

/** SQLSTATE of an error that is about a value: data exception, integrity, program limit. */
export function refusedValue(error: unknown): string | undefined {
  const code = codeOf(error);
  return code !== undefined && /^(22|23|54)/.test(code) ? code : undefined;
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}
