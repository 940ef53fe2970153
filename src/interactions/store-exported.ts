import type { Db } from '../db/index.js';
import { attachParked } from './attach-parked.js';
import { type ExportedRecord, exportedRecord } from './exported-record.js';
import { feedbackContent } from './feedback-row.js';
import { type FeedbackRow, insertFeedback } from './insert-feedback.js';
import { insertInteractions, readDigests } from './insert-interactions.js';
import { type RecordRows, usageOf } from './interaction-row.js';
import { conflict, describeIssues, type ItemResult, invalid } from './item-result.js';
import { knownModels, unknownModel } from './known-models.js';
import { storableJson } from './storable-json.js';
import { writeRows } from './write-rows.js';

/**
 * Stores interactions that `understudy export` wrote (see `exportedRecord`); resolves after COMMIT with one result for
 * each item, in their order. Subjects are hashes already and stay as they are: they match those of this database only
 * where both have the same subject key. Ids, digests and statuses are kept, so that an export of this database changes
 * nothing in it; feedback that is not stored yet is added. None of them counts in an experiment of this database.
 */
export async function storeExported(db: Pick<Db, 'pool'>, items: readonly unknown[]): Promise<ItemResult[]> {
  const results: ItemResult[] = Array.from({ length: items.length });
  const parsed: { index: number; rows: RecordRows }[] = [];
  items.forEach((item, index) => {
    const outcome = parse(item);
    if ('error' in outcome) results[index] = invalid(item, outcome.error);
    else parsed.push({ index, rows: outcome });
  });
  const named = parsed.map(({ rows }) => rows.interaction.model);
  const models = await knownModels(db, named, null);
  const known = parsed.filter(({ index, rows: { interaction } }) => {
    if (models.has(interaction.model)) return true;
    results[index] = { id: interaction.id, status: 'invalid', error: unknownModel(interaction.model) };
    return false;
  });

  const first = new Map<string, RecordRows>();
  for (const { rows } of known) if (!first.has(rows.interaction.id)) first.set(rows.interaction.id, rows);
  const outcomes = new Map<string, ItemResult['status']>();
  const refused = new Map<string, string>();
  await writeRows(
    db,
    [...first.values()],
    async (client, batch) => {
      const interactions = batch.map(({ interaction }) => interaction);
      const inserted = await insertInteractions(client, interactions);
      const old = interactions.filter(({ id }) => !inserted.has(id));
      const digests = await readDigests(
        client,
        'interactions',
        old.map(({ id }) => id),
      );
      for (const { id } of interactions) outcomes.set(id, inserted.has(id) ? 'stored' : 'duplicate');
      for (const { id, digest } of old) if (!digests.get(id)?.equals(digest)) outcomes.set(id, 'conflict');
      const alike = batch.filter(({ interaction }) => outcomes.get(interaction.id) !== 'conflict');
      await insertFeedback(
        client,
        alike.flatMap(({ feedback }) => feedback),
      );
      await attachParked(
        client,
        interactions.filter(({ id }) => inserted.has(id)),
      );
    },
    ({ interaction }, code) => refused.set(interaction.id, `cannot be stored (SQLSTATE ${code})`),
  );
  for (const { index, rows } of known) {
    const { id } = rows.interaction;
    const problem = refused.get(id);
    const status = outcomes.get(id)!;
    if (problem !== undefined) results[index] = { id, status: 'invalid', error: problem };
    else if (status === 'conflict') results[index] = conflict(id);
    else results[index] = { id, status };
    // An id that comes twice in one batch is a resend of the first.
    if (status === 'stored') outcomes.set(id, 'duplicate');
  }
  return results;
}

function parse(item: unknown): RecordRows | { error: string } {
  try {
    const parsed = exportedRecord.safeParse(item);
    return parsed.success ? rowsOf(parsed.data) : { error: describeIssues(parsed.error.issues) };
  } catch {
    // Nested so deep that walking through it overflows the stack.
    return { error: 'record: is nested too deep' };
  }
}

function rowsOf(record: ExportedRecord): RecordRows {
  const id = record.id.toLowerCase();
  const askedAt = new Date(record.timestamp);
  const response = record.response ?? null;
  return {
    interaction: {
      id,
      model: record.model,
      externalId: record.external_id ?? null,
      askedAt: askedAt.toISOString(),
      subject: record.subject ?? null,
      session: record.session ?? null,
      experimentId: null,
      arm: null,
      assignedVersion: null,
      version: record.version ?? null,
      status: record.status,
      request: Buffer.from(storableJson(record.request)),
      response: response === null ? null : Buffer.from(storableJson(response)),
      latencyMs: record.latency_ms ?? null,
      ...usageOf(response),
      tags: Buffer.from(storableJson(record.tags ?? {})),
      digest: Buffer.from(record.digest, 'hex'),
    },
    feedback: (record.feedback ?? []).map(
      ({ digest, feedback }): FeedbackRow => ({
        ...feedbackContent(feedback, askedAt),
        id: feedback.id.toLowerCase(),
        model: record.model,
        interactionId: id,
        externalId: null,
        retracted: feedback.retracted ?? false,
        digest: Buffer.from(digest, 'hex'),
      }),
    ),
  };
}
