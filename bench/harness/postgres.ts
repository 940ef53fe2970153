import path from 'node:path';
import pg from 'pg';
import { createDb, type Db, migrate } from '../../src/db/index.js';
import { startEmbeddedPostgres } from '../../src/dev/index.js';
import type { BenchContext } from './bench.js';

/**
 * What every contestant's Postgres is told besides the defaults of Postgres 18: checkpoints by time and not in the middle
 * of a run. Commits are flushed to disk (fsync and synchronous_commit are on).
 */
const SETTINGS: Readonly<Record<string, string>> = {
  shared_buffers: '512MB',
  max_wal_size: '8GB',
  checkpoint_timeout: '15min',
};
const TEMPLATE = 'bench_template';

/** A Postgres server for one bench, ours and its peers' alike. */
export interface BenchPostgres {
  /** For the sentence about the peers. */
  version: string;
  pid(): number | undefined;
  /** A migrated, empty database after a checkpoint, and the connection of the bench to it. */
  freshDatabase(): Promise<BenchDatabase>;
  /** Disconnects everybody and shuts down. */
  stop(): Promise<void>;
  /** Starts it again after `stop`, with the same data at the same address. */
  start(): Promise<void>;
}

export interface BenchDatabase {
  url: string;
  db: Db;
  drop(): Promise<void>;
}

export async function startPostgres(context: BenchContext): Promise<BenchPostgres> {
  const { supervisor, folder } = context;
  const options = {
    dataDir: path.join(folder, 'postgres'),
    logFile: path.join(folder, 'logs', 'postgres.log'),
    database: TEMPLATE,
    settings: SETTINGS,
  };
  let running = await startEmbeddedPostgres(supervisor, options);
  const { url, port } = running;
  await migrate(url);
  const { rows } = await administer<{ version: string; settings: string }>(
    url,
    `SELECT current_setting('server_version') AS version, string_agg(name || '=' || current_setting(name), ' ' ORDER BY name) AS settings
       FROM pg_settings
      WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes', 'wal_level', 'shared_buffers', 'max_wal_size', 'checkpoint_timeout')`,
  );
  const { version, settings } = rows[0]!;
  context.say(`Postgres ${version}, for everybody: ${settings}`);
  const admin = new URL(url);
  admin.pathname = '/postgres';
  let count = 0;
  return {
    version,
    stop: () => running.stop(),
    async start() {
      running = await startEmbeddedPostgres(supervisor, { ...options, port });
    },
    pid: () => supervisor.running().find(({ name }) => name === 'postgres')?.pid,
    async freshDatabase() {
      count += 1;
      const name = `bench_${count}`;
      await administer(admin.href, `CREATE DATABASE ${name} TEMPLATE ${TEMPLATE} STRATEGY FILE_COPY`);
      await administer(admin.href, 'CHECKPOINT');
      const own = new URL(url);
      own.pathname = `/${name}`;
      const db = createDb(own.href, { max: 16 });
      return {
        url: own.href,
        db,
        async drop() {
          await db.close();
          await administer(admin.href, `DROP DATABASE ${name} WITH (FORCE)`);
        },
      };
    },
  };
}

async function administer<Row extends pg.QueryResultRow>(url: string, sql: string): Promise<pg.QueryResult<Row>> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await client.query<Row>(sql);
  } finally {
    await client.end();
  }
}
