import pg from 'pg';
import type { Db } from '../db/index.js';

/**
 * Runs `work` while nobody else brings a version back into the route or takes it from the replicas: of a rollback, a cycle
 * that unloads and a reconciler one goes on at a time. Without it a version that a rollback has just loaded could be
 * unloaded before the route is on it, and the new champion could answer nothing.
 *
 * The lock is a session's, on a connection of its own: it ends with the process, so that nothing stays locked.
 */
export async function holdVersion<T>(db: Pick<Db, 'url'>, version: HeldVersion, work: () => Promise<T>): Promise<T> {
  return onConnection(db, async (client) => {
    await client.query(`SELECT pg_advisory_lock(${KEY})`, [nameOf(version)]);
    return work();
  });
}

/** The same for work that can wait for another time: null, and nothing done, when somebody holds the version. */
export async function holdVersionIfFree<T>(
  db: Pick<Db, 'url'>,
  version: HeldVersion,
  work: () => Promise<T>,
): Promise<T | null> {
  return onConnection(db, async (client) => {
    const { rows } = await client.query<{ held: boolean }>(`SELECT pg_try_advisory_lock(${KEY}) AS held`, [
      nameOf(version),
    ]);
    return rows[0]!.held ? work() : null;
  });
}

interface HeldVersion {
  model: string;
  version: number;
}

const KEY = 'hashtextextended($1, 0)';
const nameOf = ({ model, version }: HeldVersion) => `understudy/version/${model}/${version}`;

async function onConnection<T>(db: Pick<Db, 'url'>, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({
    connectionString: db.url,
    application_name: 'understudy-version',
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
  });
  // A connection that breaks gives the lock up; the work under way is not undone by that.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
