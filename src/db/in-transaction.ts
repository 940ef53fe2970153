import type pg from 'pg';
import type { Db } from './create-db.js';

/**
 * Does `work` in one transaction on a connection of its own, and answers what it answers. Everything is undone when it throws.
 *
 * @param mode as BEGIN takes it, e.g. `ISOLATION LEVEL REPEATABLE READ READ ONLY`
 */
export async function inTransaction<T>(
  db: Pick<Db, 'pool'>,
  work: (client: pg.PoolClient) => Promise<T>,
  mode = '',
): Promise<T> {
  const client = await db.pool.connect();
  let broken: Error | undefined;
  try {
    await client.query(`BEGIN ${mode}`);
    const done = await work(client);
    await client.query('COMMIT');
    return done;
  } catch (error) {
    await client.query('ROLLBACK').catch((failure: Error) => {
      broken = failure;
    });
    throw error;
  } finally {
    // A connection on which even ROLLBACK failed must not go back to the pool.
    client.release(broken);
  }
}
