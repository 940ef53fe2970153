import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { UnderstudyError } from '../errors.js';

/** Any fixed number: everybody who migrates this schema waits for the same lock. */
const LOCK = 7_316_040_721;

/** What a migration run did. `applied` names only the migrations that this call ran. */
export interface MigrationResult {
  applied: string[];
  total: number;
}

/**
 * Applies the SQL files of prisma/migrations in order, each in its own transaction, under an advisory lock, and records
 * them in `_prisma_migrations` as Prisma itself would, so that `prisma migrate deploy` agrees afterwards.
 * Running it twice, or twice at once, changes nothing. A changed or failed migration is refused (`schema_outdated`).
 */
export async function migrate(databaseUrl: string): Promise<MigrationResult> {
  const client = new pg.Client({ connectionString: databaseUrl, application_name: 'understudy-migrate' });
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [LOCK]);
    await client.query(`CREATE TABLE IF NOT EXISTS _prisma_migrations (
      id varchar(36) PRIMARY KEY, checksum varchar(64) NOT NULL, finished_at timestamptz, migration_name varchar(255) NOT NULL,
      logs text, rolled_back_at timestamptz, started_at timestamptz NOT NULL DEFAULT now(), applied_steps_count integer NOT NULL DEFAULT 0)`);
    const migrations = await readMigrations();
    const done = await recorded(client);
    const applied: string[] = [];
    for (const { name, sql, checksum } of migrations) {
      const before = done.get(name);
      if (before === checksum) continue;
      if (before !== undefined)
        throw new UnderstudyError('schema_outdated', { detail: `migration ${name} was changed after it was applied` });
      await client.query('BEGIN');
      try {
        await client.query(sql);
        await client.query(
          'INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name, applied_steps_count) VALUES ($1, $2, now(), $3, 1)',
          [randomUUID(), checksum, name],
        );
        await client.query('COMMIT');
      } catch (error) {
        await client.query('ROLLBACK');
        throw error;
      }
      applied.push(name);
    }
    // A month ahead must always exist; rows of other months wait in the default partition until then.
    await client.query(
      `SELECT ensure_month_partition(t, now() + m * interval '1 month') FROM unnest(ARRAY['interactions', 'feedback']) t, generate_series(0, 2) m`,
    );
    return { applied, total: migrations.length };
  } finally {
    await client.end();
  }
}

/** Throws `schema_outdated` when the database lacks a migration this program was built with. */
export async function assertMigrated(pool: pg.Pool): Promise<void> {
  const exists = await pool.query<{ found: boolean }>(`SELECT to_regclass('_prisma_migrations') IS NOT NULL AS found`);
  const done = exists.rows[0]?.found ? await recorded(pool) : new Map<string, string>();
  for (const { name, checksum } of await readMigrations()) {
    if (done.get(name) !== checksum)
      throw new UnderstudyError('schema_outdated', { detail: `migration ${name} is missing` });
  }
}

async function recorded(client: pg.Client | pg.Pool): Promise<Map<string, string>> {
  const { rows } = await client.query<{ migration_name: string; checksum: string }>(
    'SELECT migration_name, checksum FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL',
  );
  return new Map(rows.map((row) => [row.migration_name, row.checksum]));
}

async function readMigrations(): Promise<{ name: string; sql: string; checksum: string }[]> {
  const folder = migrationsFolder();
  const names = (await readdir(folder, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  return Promise.all(
    names.sort().map(async (name) => {
      const sql = await readFile(join(folder, name, 'migration.sql'), 'utf8');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

/** prisma/migrations of the package, from the sources as well as from dist/. */
function migrationsFolder(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const candidate = join(folder, 'prisma', 'migrations');
    if (existsSync(candidate)) return candidate;
    if (folder === dirname(folder)) throw new Error('prisma/migrations is not beside the program');
  }
}
