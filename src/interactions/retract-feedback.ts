import type { Db } from '../db/index.js';

/** An item that names a feedback id: with what it says about it, or only to take it back. */
interface Mention {
  index: number;
  id: string;
  content: { digest: Buffer } | null;
  retracted: boolean;
}

export type MentionOutcome = 'stored' | 'duplicate' | 'conflict' | 'missing';

/**
 * Judges items against what is stored under their ids, in their order, and takes back what they say is to be taken back.
 *
 * @param fresh ids that this batch has just written: their first item is `stored`
 * @returns the outcome by item index
 */
export async function retractFeedback(
  db: Pick<Db, 'pool'>,
  items: readonly Mention[],
  fresh: ReadonlySet<string>,
  only: string | null,
): Promise<ReadonlyMap<number, MentionOutcome>> {
  const outcomes = new Map<number, MentionOutcome>();
  const seen = new Set<string>();
  const meets = items.filter(({ index, id, content }) => {
    if (content === null || !fresh.has(id) || seen.has(id)) return true;
    seen.add(id);
    outcomes.set(index, 'stored');
    return false;
  });
  if (meets.length === 0) return outcomes;

  const { rows } = await db.pool.query<{ id: string; digest: Buffer; model: string | null; retracted: boolean }>(
    'SELECT id, digest, model, retracted_at IS NOT NULL AS retracted FROM feedback WHERE id = ANY($1::uuid[])',
    [[...new Set(meets.map(({ id }) => id))]],
  );
  // What a sender may not see does not exist for it.
  const rowsById = new Map(rows.filter(({ model }) => only === null || model === only).map((row) => [row.id, row]));
  const takenBack: string[] = [];
  for (const { index, id, content, retracted } of meets) {
    const row = rowsById.get(id);
    if (row === undefined) outcomes.set(index, content === null ? 'missing' : 'conflict');
    else if (content !== null && !row.digest.equals(content.digest)) outcomes.set(index, 'conflict');
    else if (!retracted || row.retracted) outcomes.set(index, 'duplicate');
    else {
      row.retracted = true;
      takenBack.push(id);
      outcomes.set(index, 'stored');
    }
  }
  if (takenBack.length > 0) {
    await db.pool.query(
      'UPDATE feedback SET retracted_at = now() WHERE id = ANY($1::uuid[]) AND retracted_at IS NULL',
      [takenBack],
    );
  }
  return outcomes;
}
