import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { migrate } from '../../src/db/migrate.js';
import { openSupervisor, startEmbeddedPostgres } from '../../src/dev/index.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** May create and drop databases. */
    adminDatabaseUrl: string;
    /** Name of the migrated database that test databases are cloned from. */
    templateDatabase: string;
  }
}

async function administer(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/**
 * One Postgres for the whole run: `DATABASE_URL`, whose user must be allowed to create databases, else the embedded one
 * in a temporary folder. All migrations are applied once, to a template.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'understudy-test-'));
  // Embedded Postgres runs as another user when this one is root, and has to reach its data.
  fs.chmodSync(folder, 0o755);
  const supervisor = await openSupervisor({ stateDir: path.join(folder, 'processes'), handleSignals: false });
  supervisor.defer('temporary folder', async () => fs.rmSync(folder, { recursive: true, force: true }));
  try {
    const adminUrl =
      process.env.DATABASE_URL ??
      (
        await startEmbeddedPostgres(supervisor, {
          dataDir: path.join(folder, 'postgres'),
          logFile: path.join(folder, 'postgres.log'),
          durable: false,
          maxConnections: 300,
        })
      ).url;
    const template = `understudy_template_${randomUUID().slice(0, 8)}`;
    await administer(adminUrl, `CREATE DATABASE ${template}`);
    supervisor.defer('template database', () => administer(adminUrl, `DROP DATABASE ${template} WITH (FORCE)`));
    const templateUrl = new URL(adminUrl);
    templateUrl.pathname = `/${template}`;
    await migrate(templateUrl.href);
    project.provide('adminDatabaseUrl', adminUrl);
    project.provide('templateDatabase', template);
  } catch (error) {
    await supervisor.stop();
    throw error;
  }
  return () => supervisor.stop();
}
