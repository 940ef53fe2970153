import type { Db } from '../db/index.js';
import { attachParked } from './attach-parked.js';
import { insertFeedback } from './insert-feedback.js';
import { insertInteractions, readDigests } from './insert-interactions.js';
import type { RecordRows } from './interaction-row.js';
import { placeInExperiments } from './place-in-experiments.js';
import { writeRows } from './write-rows.js';

/** A record to be written; `outcome` is told once it is. */
export interface RecordToWrite {
  rows: RecordRows;
  outcome?: WriteOutcome;
}

export type WriteOutcome = { status: 'stored' | 'duplicate' | 'conflict' } | { status: 'refused'; code: string };

/**
 * Writes records of any number of requests in one transaction, joins feedback that was parked for them, and says of each
 * what became of it. Of several with one id the first counts, the others are resends of it, or in conflict with it.
 *
 * @throws errors of the database when it is away; nothing is stored then, or all of it
 */
export async function writeRecords(db: Pick<Db, 'pool'>, records: readonly RecordToWrite[]): Promise<void> {
  const first = new Map<string, RecordRows>();
  for (const { rows } of records) if (!first.has(rows.interaction.id)) first.set(rows.interaction.id, rows);
  const stored = new Set<string>();
  const refused = new Map<string, string>();
  const digests = new Map<string, Buffer>();
  await writeRows(
    db,
    [...first.values()],
    async (client, batch) => {
      const interactions = batch.map(({ interaction }) => interaction);
      const inserted = await insertInteractions(client, await placeInExperiments(client, interactions));
      const fresh = batch.filter(({ interaction }) => inserted.has(interaction.id));
      await insertFeedback(
        client,
        fresh.flatMap(({ feedback }) => feedback),
      );
      await attachParked(
        client,
        fresh.map(({ interaction }) => interaction),
      );
      const old = interactions.filter(({ id }) => !inserted.has(id)).map(({ id }) => id);
      for (const [id, digest] of await readDigests(client, 'interactions', old)) digests.set(id, digest);
      // A second attempt after a race must not remember the first.
      for (const { id } of interactions) stored.delete(id);
      for (const { interaction } of fresh) {
        stored.add(interaction.id);
        digests.set(interaction.id, interaction.digest);
      }
    },
    ({ interaction }, code) => refused.set(interaction.id, code),
  );
  // Not for conflicts: what they say about their id is not what is stored.
  const arrived = [...first.values()].map(({ interaction }) => interaction);
  await attachParked(
    db.pool,
    arrived.filter(({ id, digest }) => digests.get(id)?.equals(digest)),
  );
  for (const record of records) record.outcome = outcomeOf(record.rows);

  function outcomeOf({ interaction: { id, digest } }: RecordRows): WriteOutcome {
    const code = refused.get(id);
    if (code !== undefined) return { status: 'refused', code };
    if (!digests.get(id)?.equals(digest)) return { status: 'conflict' };
    return { status: stored.delete(id) ? 'stored' : 'duplicate' };
  }
}
