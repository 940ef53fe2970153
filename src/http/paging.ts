import { z } from 'zod';
import { UnderstudyError } from '../errors.js';

/** Query of a list: `limit` rows at a time; `cursor` is the `next_cursor` of the page before. */
export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(400).optional().describe('next_cursor of the page before'),
});

export type PageQuery = z.output<typeof pageQuery>;

/** Of every page; null on the last one. */
export const nextCursor = z.string().nullable();

/**
 * Where the page before ended, as its list's schema understands it; undefined on the first page.
 * Throws `not_found` for a cursor that did not come from this list.
 */
export function readCursor<Key extends z.ZodType>(query: PageQuery, key: Key): z.output<Key> | undefined {
  if (query.cursor === undefined) return undefined;
  const parsed = key.safeParse(parse(Buffer.from(query.cursor, 'base64url').toString('utf8')));
  if (parsed.success) return parsed.data;
  throw new UnderstudyError('not_found', { what: 'The page of this cursor, which is no next_cursor of this list,' });
}

/** Cuts off the one row more than `limit` that was read to see whether there is a next page. */
export function cutPage<Row>(
  rows: readonly Row[],
  limit: number,
  key: (row: Row) => unknown,
): { rows: Row[]; next_cursor: string | null } {
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  if (last === undefined) return { rows: [...rows], next_cursor: null };
  return { rows: rows.slice(0, limit), next_cursor: Buffer.from(JSON.stringify(key(last))).toString('base64url') };
}

/** Cursor of a list ordered by start, newest first, then by id. */
export const startKey = z.tuple([
  z.iso
    .datetime()
    .transform((text) => new Date(text))
    // Nothing of ours is older, and Postgres has no year 0.
    .refine((time) => time.getTime() >= 0),
  z.uuid(),
]);

/** Prisma's `where` for what comes after a cursor of `startKey`. */
export function startedBefore(key: z.output<typeof startKey> | undefined) {
  if (key === undefined) return {};
  const [startedAt, id] = key;
  return { OR: [{ startedAt: { lt: startedAt } }, { startedAt, id: { lt: id } }] };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
