import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { onFreePort } from './free-port.js';
import { type PostgresBinaries, postgresBinaries, reachableDataDir } from './postgres-binaries.js';
import type { Supervisor } from './supervisor.js';

const run = promisify(execFile);
const USER = 'understudy';
const PASSWORD_FILE = 'understudy-password';

export interface EmbeddedPostgresOptions {
  /** Created on first use, and used again afterwards. */
  dataDir: string;
  logFile: string;
  /** Default: any free one. A busy port is stepped around. */
  port?: number;
  /** Made when it does not exist. Default `understudy`. */
  database?: string;
  /** False: nothing is flushed to disk and a crash of the machine loses the data. For tests. Default true. */
  durable?: boolean;
  maxConnections?: number;
  /** More settings of the server, by name. */
  settings?: Readonly<Record<string, string>>;
}

export interface EmbeddedPostgres {
  /** `postgres://…` of the database. It holds a password: not for logs. */
  url: string;
  port: number;
  stop(): Promise<void>;
}

async function initialise(binaries: PostgresBinaries, dataDir: string): Promise<void> {
  const draft = `${dataDir}.${randomUUID()}`;
  const passwordFile = `${draft}.password`;
  fs.mkdirSync(draft, { recursive: true, mode: 0o700 });
  const password = randomBytes(18).toString('base64url');
  fs.writeFileSync(passwordFile, password, { mode: 0o600 });
  const { user } = binaries;
  if (user) for (const file of [draft, passwordFile]) fs.chownSync(file, user.uid, user.gid);
  try {
    // C locale: the order of text does not depend on the machine.
    const args = ['-D', draft, '-U', USER, '--pwfile', passwordFile, '--auth', 'scram-sha-256', '-E', 'UTF8'];
    await run(binaries.initdb, [...args, '--locale', 'C', '--no-instructions', '--no-sync'], { cwd: '/', ...user });
    fs.renameSync(passwordFile, path.join(draft, PASSWORD_FILE));
    // The folder gets its name only now, so an interrupted start leaves no half-made cluster behind.
    fs.renameSync(draft, dataDir);
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    throw new Error(`initdb failed: ${stderr?.trim() || String(error)}`, { cause: error });
  } finally {
    fs.rmSync(passwordFile, { force: true });
    fs.rmSync(draft, { recursive: true, force: true });
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
  client.on('error', () => {});
  try {
    await client.connect();
    return true;
  } finally {
    await client.end().catch(() => {});
  }
}

async function createDatabase(adminUrl: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)}`);
  } finally {
    await client.end();
  }
}

function settings(options: EmbeddedPostgresOptions): string[] {
  const values: Record<string, string | number> = {
    listen_addresses: '127.0.0.1',
    // No socket file: two servers on one machine would argue about its folder.
    unix_socket_directories: '',
    max_connections: options.maxConnections ?? 100,
    timezone: 'UTC',
    log_timezone: 'UTC',
  };
  if (options.durable === false)
    Object.assign(values, { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' });
  Object.assign(values, options.settings);
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/**
 * Starts the embedded Postgres on a data folder, which is created on first use, and makes sure that the database is
 * there. It listens on the loopback address only, with a password made up for this data folder.
 *
 * @throws Error when the data folder is in use by a server that still runs, or when Postgres does not start
 */
export async function startEmbeddedPostgres(
  supervisor: Supervisor,
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const binaries = await postgresBinaries();
  const dataDir = reachableDataDir(options.dataDir, binaries.user);
  if (!fs.existsSync(path.join(dataDir, 'PG_VERSION'))) {
    fs.mkdirSync(path.dirname(dataDir), { recursive: true });
    // An empty folder made by the caller would be in the way of the rename.
    if (fs.existsSync(dataDir)) fs.rmdirSync(dataDir);
    await initialise(binaries, dataDir);
  }
  const password = fs.readFileSync(path.join(dataDir, PASSWORD_FILE), 'utf8');
  const database = options.database ?? 'understudy';
  return onFreePort(options.port, async (port) => {
    const base = `postgres://${USER}:${password}@127.0.0.1:${port}`;
    const child = await supervisor.spawn(
      'postgres',
      binaries.postgres,
      ['-D', dataDir, '-p', String(port), ...settings(options)],
      {
        logFile: options.logFile,
        cwd: '/',
        ready: () => answers(`${base}/postgres`),
        // SIGTERM waits for every client to leave; SIGINT disconnects them and shuts down in good order.
        stopSignal: 'SIGINT',
        ...binaries.user,
      },
    );
    await createDatabase(`${base}/postgres`, database);
    return { url: `${base}/${database}`, port, stop: () => child.stop() };
  });
}
