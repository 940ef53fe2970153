import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { identify, isRunning } from '#setup/processes.mjs';
import { openSupervisor, type Supervisor, startEmbeddedPostgres } from '../../src/dev/index.js';
import { createTestDatabase } from '../support/database.js';
import { temporaryFolder } from './support.js';

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

async function supervisorIn(folder: string): Promise<Supervisor> {
  const supervisor = await openSupervisor({ stateDir: path.join(folder, 'processes'), handleSignals: false });
  onTestFinished(() => supervisor.stop());
  return supervisor;
}

test('data survives a restart, on another port when the first one is busy, and nothing is left running', async () => {
  const folder = temporaryFolder();
  const options = { dataDir: path.join(folder, 'data'), logFile: path.join(folder, 'log'), durable: false };
  const supervisor = await supervisorIn(folder);
  const first = await startEmbeddedPostgres(supervisor, options);
  await query(first.url, 'CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)');
  const server = identify(supervisor.running().find(({ name }) => name === 'postgres')?.pid as number);
  const client = new pg.Client({ connectionString: first.url });
  client.on('error', () => {});
  await client.connect();
  await first.stop();
  expect(isRunning(server)).toBe(false);
  await client.end().catch(() => {});

  const squatter = net.createServer();
  await new Promise<void>((resolve) => squatter.listen(first.port, '127.0.0.1', resolve));
  onTestFinished(() => {
    squatter.close();
  });
  const second = await startEmbeddedPostgres(supervisor, { ...options, port: first.port });
  expect(second.port).not.toBe(first.port);
  expect(await query(second.url, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
  expect(await query(second.url, 'SHOW fsync')).toEqual([{ fsync: 'off' }]);
});

test('a cluster whose making was interrupted is made again', async () => {
  const folder = temporaryFolder();
  const dataDir = path.join(folder, 'data');
  // What an initdb that was killed half-way leaves: its draft, but no folder under the final name.
  fs.mkdirSync(`${dataDir}.half-made/base`, { recursive: true });
  const supervisor = await supervisorIn(folder);
  const { url } = await startEmbeddedPostgres(supervisor, {
    dataDir,
    logFile: path.join(folder, 'log'),
    durable: false,
  });
  expect(await query(url, 'SELECT current_database() AS name')).toEqual([{ name: 'understudy' }]);
});

test('a connection without the password is refused', async () => {
  const folder = temporaryFolder();
  const supervisor = await supervisorIn(folder);
  const { url } = await startEmbeddedPostgres(supervisor, {
    dataDir: path.join(folder, 'data'),
    logFile: path.join(folder, 'log'),
    durable: false,
  });
  const stranger = new URL(url);
  stranger.password = 'guessed';
  await expect(query(stranger.href, 'SELECT 1')).rejects.toThrow(/password authentication failed/);
});

test('each test database is a migrated one of its own', async () => {
  const [one, other] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  onTestFinished(async () => {
    await Promise.all([one.drop(), other.drop()]);
  });
  await query(one.url, 'CREATE TABLE only_here (n int)');
  const found = (url: string) => query(url, "SELECT to_regclass('only_here') IS NOT NULL AS here");
  expect(await found(one.url)).toEqual([{ here: true }]);
  expect(await found(other.url)).toEqual([{ here: false }]);
  const [migrations] = await query(other.url, 'SELECT count(*)::int AS n FROM _prisma_migrations');
  expect(migrations?.n).toBeGreaterThan(0);
});
