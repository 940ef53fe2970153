import { readCliConfig } from '../config.js';
import { createDb, type Db } from '../db/index.js';
import { errorDetail, UnderstudyError } from '../errors.js';

/** Opens the database for one command and closes it again; connection failures become `database_unreachable`. */
export async function withDb<T>(work: (db: Db) => Promise<T>, connections = 4): Promise<T> {
  const db = createDb(readCliConfig().databaseUrl(), { max: connections });
  try {
    await db.pool.query('SELECT 1').catch((error: unknown) => {
      throw new UnderstudyError('database_unreachable', { detail: errorDetail(error) });
    });
    return await work(db);
  } finally {
    await db.close();
  }
}
