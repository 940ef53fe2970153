import type { Db } from '../db/index.js';
import { type RecordRows, rowsOfRecord } from './interaction-row.js';
import { conflict, describeIssues, type ItemResult, invalid } from './item-result.js';
import { knownModels, unknownModel } from './known-models.js';
import { isPlainRecord } from './plain-record.js';
import { interactionRecord } from './record.js';
import { redactRecords } from './redact-captured.js';
import { shareCommits } from './share-commits.js';
import { type RecordToWrite, writeRecords } from './write-records.js';

/** Stores interaction records; calls at the same time share transactions. */
export interface InteractionStore {
  /**
   * Stores interaction records (see `interactionRecord`) and the feedback inside them; resolves after COMMIT with one
   * result for each item, in their order. A resend changes nothing, whatever its key order or spelling of timestamps; a
   * bad item does not affect the others, of this call or of one it shares a transaction with. Feedback that was parked
   * under an interaction's external_id is joined to it. What an exposed subject asked during an experiment counts in it,
   * see `placeInExperiments`.
   *
   * @param items unchecked; a few thousand at most, they are held in memory and written in one transaction
   * @param options.model the only model the sender may see; items of others are answered as of an unknown model
   * @throws errors of the database when it is away, and `database_unreachable` when it is too slow; nothing is stored
   *   then, or all of it, and the batch may be sent again
   */
  store(items: readonly unknown[], options?: { model?: string | null }): Promise<ItemResult[]>;
}

/** @param subjectKey key of the HMAC under which subjects are stored */
export function openInteractionStore(db: Pick<Db, 'pool'>, subjectKey: string): InteractionStore {
  const write = shareCommits<RecordToWrite>((records) => writeRecords(db, records));
  return {
    async store(items, { model = null } = {}) {
      const results: ItemResult[] = Array.from({ length: items.length });
      const parsed: { index: number; rows: RecordRows }[] = [];
      (await redactRecords(db, items)).forEach((item, index) => {
        const outcome = parse(subjectKey, item);
        if ('error' in outcome) results[index] = invalid(item, outcome.error);
        else parsed.push({ index, rows: outcome });
      });
      const models = await knownModels(
        db,
        parsed.map(({ rows }) => rows.interaction.model),
        model,
      );
      const known: (RecordToWrite & { index: number })[] = [];
      for (const { index, rows } of parsed) {
        const { id, model: named } = rows.interaction;
        if (models.has(named)) known.push({ index, rows });
        else results[index] = { id, status: 'invalid', error: unknownModel(named) };
      }
      if (known.length > 0) await write(known);
      for (const record of known) results[record.index] = resultOf(record);
      return results;
    },
  };
}

/** Stores records once, see `InteractionStore.store`. */
export function storeInteractions(
  db: Pick<Db, 'pool'>,
  subjectKey: string,
  items: readonly unknown[],
  options: { model?: string | null } = {},
): Promise<ItemResult[]> {
  return openInteractionStore(db, subjectKey).store(items, options);
}

function resultOf({ rows, outcome }: RecordToWrite): ItemResult {
  const { id } = rows.interaction;
  if (outcome === undefined) throw new Error('a record was written without an outcome');
  if (outcome.status === 'conflict') return conflict(id);
  if (outcome.status !== 'refused') return { id, status: outcome.status };
  return { id, status: 'invalid', error: `cannot be stored (SQLSTATE ${outcome.code})` };
}

function parse(subjectKey: string, item: unknown): RecordRows | { error: string } {
  try {
    if (isPlainRecord(item)) return rowsOfRecord(subjectKey, item);
    const record = interactionRecord.safeParse(item);
    if (!record.success) return { error: describeIssues(record.error.issues) };
    return rowsOfRecord(subjectKey, record.data);
  } catch {
    // Nested so deep that walking through it overflows the stack.
    return { error: 'record: is nested too deep' };
  }
}
