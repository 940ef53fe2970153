import { dropMonth, listMonths, parseMonth, parseTable } from '../housekeeping/index.js';
import { show, table } from './output.js';
import { withDb } from './with-db.js';

/** Shows the months of interactions and feedback with their size. */
export async function dbPartitionsList(options: { json?: boolean }): Promise<void> {
  await withDb(async (db) => {
    const months = await listMonths(db);
    show(options.json ?? false, months, () =>
      table(
        ['table', 'month', 'rows (about)', 'size'],
        months.map(({ table, month, rows, bytes }) => [
          table,
          month ?? 'without one',
          rows.toLocaleString('en'),
          megabytes(bytes),
        ]),
      ),
    );
  });
}

/** Drops a month for good. */
export async function dbPartitionsDrop(
  tableName: string,
  monthName: string,
  options: { force?: boolean; json?: boolean },
): Promise<void> {
  const request = { table: parseTable(tableName), month: parseMonth(monthName), force: options.force ?? false };
  await withDb(async (db) => {
    const dropped = await dropMonth(db, request);
    show(options.json ?? false, dropped, () => {
      const what = `Dropped ${dropped.table} of ${dropped.month}: about ${dropped.rows.toLocaleString('en')} rows`;
      const why = dropped.forced.map((reason) => `\nAlthough ${reason}.`).join('');
      return `${what}, ${megabytes(dropped.bytes)}. Datasets keep what they froze.${why}`;
    });
  });
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toLocaleString('en', { maximumFractionDigits: 1 })} MB`;
}
