import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDb, type Db } from '../../src/db/index.js';
import { writeRows } from '../../src/interactions/write-rows.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let database: TestDatabase;
let db: Db;

beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(database.url);
  await db.pool.query('CREATE TABLE numbers (n smallint PRIMARY KEY)');
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

const write = (rows: readonly number[], refused: number[]) =>
  writeRows(
    db,
    rows,
    async (client, batch) => {
      await client.query('INSERT INTO numbers SELECT * FROM unnest($1::integer[]) ON CONFLICT DO NOTHING', [batch]);
    },
    (row) => refused.push(row),
  );

it('writes every row but the ones Postgres refuses for their values', async () => {
  const refused: number[] = [];
  await write([1, 2, 70_000, 4, 5, 6, 80_000, 90_000], refused);
  expect(refused).toEqual([70_000, 80_000, 90_000]);
  const { rows } = await db.pool.query<{ n: number }>('SELECT n FROM numbers ORDER BY n');
  expect(rows.map(({ n }) => n)).toEqual([1, 2, 4, 5, 6]);
});

it('throws everything else, having written nothing', async () => {
  const refused: number[] = [];
  const broken = writeRows(
    db,
    [1, 2],
    async (client) => {
      await client.query('INSERT INTO numbers VALUES (100)');
      await client.query('SELECT * FROM no_such_table');
    },
    (row) => refused.push(row),
  );
  await expect(broken).rejects.toMatchObject({ code: '42P01' });
  expect(refused).toEqual([]);
  expect((await db.pool.query('SELECT 1 FROM numbers WHERE n = 100')).rowCount).toBe(0);
});
