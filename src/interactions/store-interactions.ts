import type { Db } from '../db/index.js';
import { attachParked } from './attach-parked.js';
import { insertFeedback } from './insert-feedback.js';
import { insertInteractions, readDigests } from './insert-interactions.js';
import { type RecordRows, rowsOfRecord } from './interaction-row.js';
import { conflict, describeIssues, type ItemResult, invalid } from './item-result.js';
import { knownModels, unknownModel } from './known-models.js';
import { placeInExperiments } from './place-in-experiments.js';
import { interactionRecord } from './record.js';
import { writeRows } from './write-rows.js';

/**
 * Stores interaction records (see `interactionRecord`) and the feedback inside them; resolves after COMMIT with one
 * result for each item, in their order. A resend changes nothing, whatever its key order or spelling of timestamps; a bad
 * item does not affect the others. Feedback that was parked under an interaction's external_id is joined to it. What an
 * exposed subject asked during an experiment counts in it, see `placeInExperiments`.
 *
 * @param subjectKey key of the HMAC under which subjects are stored
 * @param items unchecked; a few thousand at most, they are held in memory and written in one transaction
 * @param options.model the only model the sender may see; items of others are answered as of an unknown model
 * @throws errors of the database when it is away; nothing is stored then, or all of it, and the batch may be sent again
 */
export async function storeInteractions(
  db: Pick<Db, 'pool'>,
  subjectKey: string,
  items: readonly unknown[],
  options: { model?: string | null } = {},
): Promise<ItemResult[]> {
  const results: ItemResult[] = Array.from({ length: items.length });
  const parsed: { index: number; rows: RecordRows }[] = [];
  items.forEach((item, index) => {
    const outcome = parse(subjectKey, item);
    if ('error' in outcome) results[index] = invalid(item, outcome.error);
    else parsed.push({ index, rows: outcome });
  });

  const models = await knownModels(
    db,
    parsed.map(({ rows }) => rows.interaction.model),
    options.model ?? null,
  );
  const known = parsed.filter(({ index, rows: { interaction } }) => {
    if (models.has(interaction.model)) return true;
    results[index] = { id: interaction.id, status: 'invalid', error: unknownModel(interaction.model) };
    return false;
  });

  // An id that comes twice in one batch is a resend of the first.
  const first = new Map<string, RecordRows>();
  for (const { rows } of known) if (!first.has(rows.interaction.id)) first.set(rows.interaction.id, rows);
  const stored = new Set<string>();
  const refused = new Map<string, string>();
  const digests = new Map<string, Buffer>();
  await writeRows(
    db,
    [...first.values()],
    async (client, batch) => {
      const inserted = await insertInteractions(
        client,
        await placeInExperiments(
          client,
          batch.map(({ interaction }) => interaction),
        ),
      );
      const fresh = batch.filter(({ interaction }) => inserted.has(interaction.id));
      await insertFeedback(
        client,
        fresh.flatMap(({ feedback }) => feedback),
      );
      await attachParked(
        client,
        fresh.map(({ interaction }) => interaction),
      );
      const old = batch.filter(({ interaction }) => !inserted.has(interaction.id));
      for (const [id, digest] of await readDigests(
        client,
        'interactions',
        old.map(({ interaction }) => interaction.id),
      )) {
        digests.set(id, digest);
      }
      // A second attempt after a race must not remember the first.
      for (const { interaction } of batch) stored.delete(interaction.id);
      for (const { interaction } of fresh) {
        stored.add(interaction.id);
        digests.set(interaction.id, interaction.digest);
      }
    },
    ({ interaction }, code) => refused.set(interaction.id, `cannot be stored (SQLSTATE ${code})`),
  );
  // Not for conflicts: what they say about their id is not what is stored.
  const arrived = [...first.values()].map(({ interaction }) => interaction);
  await attachParked(
    db.pool,
    arrived.filter(({ id, digest }) => digests.get(id)?.equals(digest)),
  );

  for (const { index, rows } of known) {
    const { id, digest } = rows.interaction;
    const problem = refused.get(id);
    if (problem !== undefined) results[index] = { id, status: 'invalid', error: problem };
    else if (!digests.get(id)?.equals(digest)) results[index] = conflict(id);
    else results[index] = { id, status: stored.delete(id) ? 'stored' : 'duplicate' };
  }
  return results;
}

function parse(subjectKey: string, item: unknown): RecordRows | { error: string } {
  try {
    const record = interactionRecord.safeParse(item);
    if (!record.success) return { error: describeIssues(record.error.issues) };
    return rowsOfRecord(subjectKey, record.data);
  } catch {
    // Nested so deep that walking through it overflows the stack.
    return { error: 'record: is nested too deep' };
  }
}
