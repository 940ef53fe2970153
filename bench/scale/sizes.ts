import type { Db } from '../../src/db/index.js';

/** Bytes a row on disk, after VACUUM: of the table and of each of its indexes, all months together. */
export async function measureSizes(db: Db): Promise<Record<string, number>> {
  const { rows } = await db.pool.query<{ table: string; name: string; bytes: string }>(`
    SELECT split_part(parent.relname, '_', 1) AS "table",
           parent.relname || CASE WHEN parent.relkind = 'p' THEN '_rows' ELSE '' END AS name,
           sum(CASE WHEN parent.relkind = 'p' THEN pg_table_size(part.oid) ELSE pg_relation_size(part.oid) END) AS bytes
      FROM pg_class parent JOIN pg_inherits h ON h.inhparent = parent.oid JOIN pg_class part ON part.oid = h.inhrelid
     WHERE parent.relname ~ '^(interactions|feedback)' AND parent.relkind IN ('p', 'I')
     GROUP BY parent.relname, parent.relkind`);
  const figures: Record<string, number> = {};
  for (const table of ['interactions', 'feedback']) {
    const counted = await db.pool.query<{ n: string }>(`SELECT count(*) AS n FROM ${table}`);
    const count = Number(counted.rows[0]!.n);
    const parts = rows.filter((row) => row.table === table);
    for (const { name, bytes } of parts) figures[`bytes_${name}`] = Number(bytes) / count;
    figures[`bytes_${table}`] = parts.reduce((sum, { bytes }) => sum + Number(bytes), 0) / count;
  }
  return figures;
}
