import pg from 'pg';
import type { Db } from '../db/index.js';

/**
 * One at a time for a training key, over all processes: an attempt that was given up may still be running when the next
 * one starts, and both would find no job and make one. The lock belongs to a connection, so it dies with its process; a
 * connection of its own, because waiters that held pooled ones would starve the one they wait for.
 */
export async function withKeyLock<T>(db: Db, key: string, run: () => Promise<T>): Promise<T> {
  const client = new pg.Client({
    connectionString: db.url,
    application_name: 'understudy-training-lock',
    keepAlive: true,
  });
  // Without a listener a connection that breaks while `run` works would end the process.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query("SELECT pg_advisory_lock(hashtext('understudy.training'), hashtext($1))", [key]);
    return await run();
  } finally {
    await client.end().catch(() => undefined);
  }
}
