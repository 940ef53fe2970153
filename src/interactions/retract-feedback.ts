import type { Db } from '../db/index.js';
import type { FeedbackSender } from './feedback-sender.js';

/** An item that names a feedback id: with what it says about it, or only to take it back. */
interface Mention {
  index: number;
  id: string;
  /** `digests`: under any of them what is stored says the same. */
  content: { digests: readonly Buffer[] } | null;
  retracted: boolean;
}

interface StoredFeedback {
  id: string;
  digest: Buffer;
  model: string | null;
  /** Its id, also while the feedback waits for it under that as a name. */
  interaction: string;
  source: string;
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
  sender: FeedbackSender,
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

  const { rows } = await db.pool.query<StoredFeedback>(
    `SELECT id, digest, model, coalesce(interaction_id::text, external_id) AS interaction, source,
            retracted_at IS NOT NULL AS retracted
       FROM feedback WHERE id = ANY($1::uuid[])`,
    [[...new Set(meets.map(({ id }) => id))]],
  );
  // What a sender may not see does not exist for it.
  const rowsById = new Map(rows.filter((row) => isVisible(row, sender)).map((row) => [row.id, row]));
  const takenBack: string[] = [];
  for (const { index, id, content, retracted } of meets) {
    const row = rowsById.get(id);
    if (row === undefined) outcomes.set(index, content === null ? 'missing' : 'conflict');
    else if (content !== null && !content.digests.some((digest) => row.digest.equals(digest)))
      outcomes.set(index, 'conflict');
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

function isVisible(row: StoredFeedback, { model, interaction }: FeedbackSender): boolean {
  if (model !== null && row.model !== model) return false;
  return interaction === null || (row.interaction === interaction && row.source === 'user');
}
