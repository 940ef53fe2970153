import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { PrismaClient } from './generated/client.js';

/** A transaction of the typed client; what `db.prisma.$transaction(async (tx) => …)` hands out. */
export type Tx = Parameters<Parameters<PrismaClient['$transaction']>[0]>[0];

/** One pool of connections, used both by the typed client (control plane) and directly (hot path, set statements). */
export interface Db {
  readonly prisma: PrismaClient;
  readonly pool: pg.Pool;
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Opens the database lazily: the first query connects. `max` connections serve both the typed client and `pool`.
 * A broken idle connection is dropped and reported to `onError`; it never throws out of the pool.
 */
export function createDb(url: string, options: { max?: number; onError?: (error: Error) => void } = {}): Db {
  const pool = new pg.Pool({
    connectionString: url,
    max: options.max ?? 10,
    connectionTimeoutMillis: 5_000,
    application_name: 'understudy',
  });
  pool.on('error', (error) => options.onError?.(error));
  // The pool listens on idle connections only: one that breaks while it is lent out, between two queries, would end the
  // process. Whoever holds it learns of it from the next query.
  pool.on('connect', (client) => client.on('error', () => undefined));
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  return {
    prisma,
    pool,
    url,
    async close() {
      await prisma.$disconnect();
      if (!pool.ended) await pool.end();
    },
  };
}
