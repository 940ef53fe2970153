import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { assertMigrated, migrate } from '../../src/db/index.js';

const name = `understudy_migrate_${randomUUID().slice(0, 8)}`;
const url = new URL(inject('adminDatabaseUrl'));
url.pathname = `/${name}`;

async function asAdmin(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: inject('adminDatabaseUrl') });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

let pool: pg.Pool;
beforeAll(async () => {
  await asAdmin(`CREATE DATABASE ${name}`);
  pool = new pg.Pool({ connectionString: url.href, max: 2 });
});
afterAll(async () => {
  await pool.end();
  await asAdmin(`DROP DATABASE ${name} WITH (FORCE)`);
});

describe('migrate', () => {
  it('is asked for by name on an empty database', async () => {
    await expect(assertMigrated(pool)).rejects.toMatchObject({ code: 'schema_outdated' });
  });

  it('applies everything once when five run at once, and nothing when it is run again', async () => {
    const results = await Promise.all(Array.from({ length: 5 }, () => migrate(url.href)));
    const applied = results.flatMap((result) => result.applied);
    expect(applied.length).toBeGreaterThan(0);
    expect(new Set(applied).size).toBe(applied.length);
    expect(applied).toHaveLength(results[0]!.total);
    expect((await migrate(url.href)).applied).toEqual([]);
    await assertMigrated(pool);
    const { rows } = await pool.query(
      `SELECT count(*)::int AS n FROM _prisma_migrations WHERE finished_at IS NOT NULL`,
    );
    expect(rows[0].n).toBe(applied.length);
  });

  it('makes the partitions of this month and the two after it', async () => {
    const { rows } = await pool.query<{ month: string }>(
      `SELECT to_char(now() AT TIME ZONE 'UTC' + m * interval '1 month', 'YYYY_MM') AS month FROM generate_series(0, 2) m`,
    );
    for (const { month } of rows) {
      for (const table of ['interactions', 'feedback']) {
        const found = await pool.query(`SELECT to_regclass($1) IS NOT NULL AS found`, [`${table}_${month}`]);
        expect({ [`${table}_${month}`]: found.rows[0].found }).toEqual({ [`${table}_${month}`]: true });
      }
    }
  });

  it('refuses a migration that was changed after it was applied', async () => {
    await pool.query(`UPDATE _prisma_migrations SET checksum = repeat('0', 64)`);
    await expect(migrate(url.href)).rejects.toMatchObject({ code: 'schema_outdated' });
    await expect(assertMigrated(pool)).rejects.toMatchObject({ code: 'schema_outdated' });
  });
});
