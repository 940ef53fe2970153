import { formatDuration, type Policy } from '../policy/index.js';

/**
 * Each adapter with the reason to keep it, or null for one that may go. Rejected versions can serve no more, and take no place
 * among the newest.
 *
 * @param rows last used first
 * @param needed why versions are needed whatever the rule says
 */
export function judgeAdapters<Row extends { version: number; state: string; lastUsed: Date }>(
  rows: readonly Row[],
  { keep, for: lately }: NonNullable<Policy['retention']['adapters']>,
  needed: ReadonlyMap<number, string>,
  asOf: Date,
): [Row, string | null][] {
  const newest = new Set(rows.filter(({ state }) => state !== 'rejected').slice(0, keep));
  return rows.map((row) => {
    const recent = row.lastUsed.getTime() > asOf.getTime() - lately;
    const why =
      needed.get(row.version) ??
      (newest.has(row) ? `among the newest ${keep}` : recent ? `used within ${formatDuration(lately)}` : null);
    return [row, why];
  });
}
