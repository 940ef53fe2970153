import type { Db } from '../db/index.js';
import { MONTHLY_TABLES, type MonthlyTable } from './month.js';

/** One partition. */
export interface StoredMonth {
  table: MonthlyTable;
  /** `2026-08`; null: rows of months without a partition of their own. */
  month: string | null;
  /** As the last ANALYZE found, or counted where there was none. */
  rows: number;
  /** With its indexes. */
  bytes: number;
}

const PARTITIONS = `
SELECT parent.relname AS "table",
       CASE WHEN part.relname ~ '_[0-9]{4}_[0-9]{2}$' THEN replace(right(part.relname, 7), '_', '-') END AS month,
       part.relname AS name, part.reltuples::bigint AS rows, pg_total_relation_size(part.oid) AS bytes
  FROM pg_class parent JOIN pg_inherits h ON h.inhparent = parent.oid JOIN pg_class part ON part.oid = h.inhrelid
 WHERE parent.oid = ANY($1::regclass[]) AND parent.relkind = 'p'
 ORDER BY parent.relname DESC, part.relname`;

/** The months that are stored, oldest first, and last what waits without a month. */
export async function listMonths(db: Pick<Db, 'pool'>): Promise<StoredMonth[]> {
  const { rows } = await db.pool.query<StoredMonth & { name: string }>(PARTITIONS, [MONTHLY_TABLES]);
  const months: StoredMonth[] = [];
  for (const { table, month, name, rows: estimate, bytes } of rows) {
    // -1: never analysed.
    const known = Number(estimate) >= 0 ? Number(estimate) : await count(db, name);
    months.push({ table, month, rows: known, bytes: Number(bytes) });
  }
  return months;
}

async function count(db: Pick<Db, 'pool'>, name: string): Promise<number> {
  // A name of the catalogue, of our own making.
  const { rows } = await db.pool.query<{ n: string }>(`SELECT count(*) AS n FROM "${name.replaceAll('"', '""')}"`);
  return Number(rows[0]!.n);
}
