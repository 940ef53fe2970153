import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { useTestDatabase } from '../support/database.js';

const database = await useTestDatabase();
const { db } = database;

interface Column {
  type: string;
  nullable: boolean;
  default: boolean;
}
type Tables = Record<string, Record<string, Column>>;

const TYPES: Record<string, string> = {
  String: 'text',
  'String @db.Uuid': 'uuid',
  'String[]': '_text',
  Decimal: 'numeric',
  Int: 'int4',
  BigInt: 'int8',
  Float: 'float8',
  Boolean: 'bool',
  Json: 'jsonb',
  Bytes: 'bytea',
  'DateTime @db.Timestamptz': 'timestamptz',
  'DateTime @db.Date': 'date',
};

/** Tables, columns and keys as schema.prisma describes them. Knows what that file uses, and nothing more. */
function readSchema(text: string) {
  const tables: Tables = {};
  const keys: Record<string, string[]> = {};
  const unique: Record<string, string[][]> = {};
  for (const [, body] of text.matchAll(/^model \w+ \{\n([\s\S]*?)^\}/gm)) {
    const table = /@@map\("(\w+)"\)/.exec(body!)![1]!;
    const columns: Record<string, Column> = {};
    const columnOf: Record<string, string> = {};
    unique[table] = [];
    for (const line of body!.split('\n')) {
      const field = /^ {2}(\w+)\s+(\w+(?:\[\])?)(\??)\s*(.*)$/.exec(line);
      if (field === null) continue;
      const [, name, base, optional, attributes] = field as unknown as [string, string, string, string, string];
      const column = /@map\("(\w+)"\)/.exec(attributes)?.[1] ?? name;
      const native = /@db\.\w+/.exec(attributes)?.[0];
      const type = TYPES[native === undefined ? base : `${base} ${native}`];
      if (type === undefined) throw new Error(`${table}.${column}: the test does not know ${base} ${native ?? ''}`);
      columnOf[name] = column;
      columns[column] = { type, nullable: optional === '?', default: attributes.includes('@default(') };
      if (/@id\b/.test(attributes)) keys[table] = [column];
      if (/@unique\b/.test(attributes)) unique[table].push([column]);
    }
    const listed = (text: string) => text.split(',').map((name) => columnOf[name.trim()]!);
    const id = /@@id\(\[([^\]]+)\]/.exec(body!);
    if (id !== null) keys[table] = listed(id[1]!);
    for (const [, names] of body!.matchAll(/@@unique\(\[([^\]]+)\]/g)) unique[table].push(listed(names!));
    tables[table] = columns;
  }
  return { tables, keys, unique };
}

async function readDatabase() {
  const partitions = 'SELECT inhrelid FROM pg_inherits';
  const { rows: columns } = await db.pool.query<{
    table: string;
    column: string;
    type: string;
    nullable: boolean;
    default: boolean;
  }>(`
    SELECT c.relname AS table, a.attname AS column, t.typname AS type, NOT a.attnotnull AS nullable,
           a.atthasdef OR a.attidentity <> '' AS default
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
       AND c.oid NOT IN (${partitions}) AND c.relname <> '_prisma_migrations'`);
  const { rows: indexes } = await db.pool.query<{ table: string; primary: boolean; columns: string[] }>(`
    SELECT c.relname AS table, i.indisprimary AS primary,
           array(SELECT a.attname::text FROM unnest(i.indkey) WITH ORDINALITY k (attnum, n)
                   JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum ORDER BY k.n) AS columns
      FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
     WHERE c.relnamespace = 'public'::regnamespace AND i.indisunique AND i.indpred IS NULL
       AND c.oid NOT IN (${partitions}) AND c.relname <> '_prisma_migrations'`);
  const tables: Tables = {};
  for (const { table, column, ...facts } of columns) tables[table] = { ...tables[table], [column]: facts };
  return { tables, indexes };
}

const sorted = (lists: string[][]) => lists.map((list) => list.join(',')).sort();

describe('schema.prisma', () => {
  it('agrees with the migrated database, column by column', async () => {
    const { tables } = readSchema(await readFile('prisma/schema.prisma', 'utf8'));
    const actual = await readDatabase();
    expect(Object.keys(tables).sort()).toEqual(Object.keys(actual.tables).sort());
    expect(Object.keys(tables).length).toBeGreaterThan(10);
    for (const [table, columns] of Object.entries(tables))
      expect({ [table]: columns }).toEqual({ [table]: actual.tables[table] });
  });

  it('agrees with its keys and unique constraints', async () => {
    const { keys, unique } = readSchema(await readFile('prisma/schema.prisma', 'utf8'));
    const { indexes } = await readDatabase();
    for (const [table, key] of Object.entries(keys)) {
      const mine = indexes.filter((index) => index.table === table);
      expect({ [table]: mine.find(({ primary }) => primary)?.columns }).toEqual({ [table]: key });
      const others = mine.filter(({ primary }) => !primary).map(({ columns }) => columns);
      expect({ [table]: sorted(others) }).toEqual({ [table]: sorted(unique[table]!) });
    }
  });
});

describe('the partitions of interactions and feedback', () => {
  it('are made once for a month, also when ten ask at once, and take in what waited in the default', async () => {
    await db.pool.query(
      `INSERT INTO interactions (id, model, asked_at, status, request, digest) VALUES (uuid7_floor('2031-05-15'), 'm', '2031-05-15', 'incomplete', '{}', '')`,
    );
    await Promise.all(
      Array.from({ length: 10 }, () =>
        db.pool.query(`SELECT ensure_month_partition('interactions', '2031-05-31T23:59:59Z')`),
      ),
    );
    const { rows } = await db.pool.query(
      `SELECT tableoid::regclass::text AS partition FROM interactions WHERE model = 'm'`,
    );
    expect(rows).toEqual([{ partition: 'interactions_2031_05' }]);
  });
});
