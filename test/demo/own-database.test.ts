import pg from 'pg';
import { describe, expect, inject, it } from 'vitest';
import { createOwnDatabase } from '../../demo/own-database.js';

/** Only those of demos: other tests have theirs on the same server. */
async function databases(): Promise<string[]> {
  const client = new pg.Client({ connectionString: inject('adminDatabaseUrl') });
  await client.connect();
  try {
    const { rows } = await client.query<{ datname: string }>(
      "SELECT datname FROM pg_database WHERE datname LIKE 'understudy\\_demo\\_%'",
    );
    return rows.map(({ datname }) => datname);
  } finally {
    await client.end();
  }
}

describe('a demo on a Postgres that is there already', () => {
  it('gets a database of its own, which is gone afterwards, also with a connection left open', async () => {
    const before = await databases();
    const own = await createOwnDatabase(inject('adminDatabaseUrl'));
    const client = new pg.Client({ connectionString: own.url });
    client.on('error', () => undefined);
    await client.connect();
    expect((await databases()).length).toBe(before.length + 1);
    await own.drop();
    expect(await databases()).toEqual(before);
    await client.end().catch(() => undefined);
  });
});
