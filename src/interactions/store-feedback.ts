import type pg from 'pg';
import type { Db } from '../db/index.js';
import { attachParked } from './attach-parked.js';
import { feedbackRecord, retraction } from './feedback-record.js';
import { type FeedbackContent, feedbackContent } from './feedback-row.js';
import { newId } from './ids.js';
import { type FeedbackRow, insertFeedback } from './insert-feedback.js';
import { conflict, describeIssues, type ItemResult, invalid } from './item-result.js';
import { knownModels, unknownModel } from './known-models.js';
import { type InteractionReference, resolveInteractions } from './resolve-interactions.js';
import { retractFeedback } from './retract-feedback.js';
import { writeRows } from './write-rows.js';

/** One item, checked. `content` is null for a bare `{id, retracted}`. */
interface Item extends InteractionReference {
  index: number;
  id: string;
  content: FeedbackContent | null;
  retracted: boolean;
}

/**
 * Stores feedback (see `feedbackRecord`) about interactions; resolves after COMMIT with one result for each item, in their
 * order. Feedback about an interaction not seen yet is stored and joined to it when it comes. A resend of an id changes
 * nothing, another body under it is a conflict, `retracted: true` takes it back.
 *
 * @param options.model the only model the sender may see: feedback reaches no interaction of another one
 * @throws errors of the database when it is away; the batch may be sent again, except items without an id
 */
export async function storeFeedback(
  db: Pick<Db, 'pool'>,
  items: readonly unknown[],
  options: { model?: string | null } = {},
): Promise<ItemResult[]> {
  const only = options.model ?? null;
  const results: ItemResult[] = Array.from({ length: items.length });
  const now = new Date();
  const parsed: Item[] = [];
  items.forEach((item, index) => {
    const outcome = parse(item, index, now);
    if ('error' in outcome) results[index] = invalid(item, outcome.error);
    else parsed.push(outcome);
  });
  const models = await knownModels(
    db,
    parsed.flatMap(({ model }) => model ?? []),
    only,
  );
  const known = parsed.filter((item) => {
    if (item.model === null || models.has(item.model)) return true;
    results[item.index] = { id: item.id, status: 'invalid', error: unknownModel(item.model) };
    return false;
  });

  // The first item of an id is written; later ones of the same batch meet it as they would meet a stored one.
  const first = new Map<string, Item & { content: FeedbackContent }>();
  for (const item of known) {
    if (item.content !== null && !first.has(item.id)) first.set(item.id, { ...item, content: item.content });
  }
  const stored = new Set<string>();
  const refused = new Map<string, string>();
  await writeRows(
    db,
    [...first.values()],
    async (client, batch) => {
      const rows = await rowsOf(client, batch, only);
      const inserted = await insertFeedback(client, rows);
      for (const { id } of batch) {
        if (inserted.has(id)) stored.add(id);
        else stored.delete(id);
      }
    },
    ({ id }, code) => refused.set(id, `cannot be stored (SQLSTATE ${code})`),
  );
  const outcomes = await retractFeedback(
    db,
    known.filter(({ id }) => !refused.has(id)),
    stored,
    only,
  );
  // The interactions may have come while this was written, see attachParked.
  const resolve = await resolveInteractions(db.pool, [...first.values()]);
  await attachParked(
    db.pool,
    [...first.values()].flatMap((item) => visible(resolve(item), only) ?? []),
  );

  for (const { index, id } of known) {
    const problem = refused.get(id);
    if (problem !== undefined) results[index] = { id, status: 'invalid', error: problem };
    else {
      const outcome = outcomes.get(index)!;
      if (outcome === 'conflict') results[index] = conflict(id);
      else if (outcome === 'missing')
        results[index] = { id, status: 'invalid', error: 'no feedback with this id is stored' };
      else results[index] = { id, status: outcome };
    }
  }
  return results;
}

async function rowsOf(
  client: pg.ClientBase,
  batch: readonly (Item & { content: FeedbackContent })[],
  only: string | null,
): Promise<FeedbackRow[]> {
  const resolve = await resolveInteractions(client, batch);
  return batch.map((item) => {
    const found = visible(resolve(item), only);
    const parked = parkedName(item, only);
    const { id, content, retracted } = item;
    if (found !== undefined) {
      return { ...content, id, retracted, model: found.model, interactionId: found.id, externalId: item.externalId };
    }
    return { ...content, id, retracted, ...parked };
  });
}

/**
 * Where feedback waits for an interaction not seen yet. A sender bound to one model must not reach an interaction of
 * another one, known or still to come, by guessing its id: such feedback waits under (its model, the id as a name), and
 * is joined only to an interaction of that model.
 */
function parkedName(item: Item, only: string | null): Pick<FeedbackRow, 'model' | 'interactionId' | 'externalId'> {
  if (item.interaction === null) return { model: item.model, interactionId: null, externalId: item.externalId };
  if (only === null) return { model: null, interactionId: item.interaction, externalId: item.externalId };
  return { model: only, interactionId: null, externalId: item.interaction };
}

function visible<T extends { model: string }>(found: T | undefined, only: string | null): T | undefined {
  return found === undefined || (only !== null && found.model !== only) ? undefined : found;
}

function parse(item: unknown, index: number, now: Date): Item | { error: string } {
  const bare = retraction.safeParse(item);
  if (bare.success) {
    const id = bare.data.id.toLowerCase();
    return { index, id, content: null, retracted: true, interaction: null, model: null, externalId: null };
  }
  const parsed = feedbackRecord.safeParse(item);
  if (!parsed.success) return { error: describeIssues(parsed.error.issues) };
  const given = parsed.data;
  const interaction = given.interaction?.toLowerCase() ?? null;
  const model = given.model ?? null;
  const externalId = given.external_id ?? null;
  if (interaction === null && (model === null || externalId === null)) {
    return { error: 'interaction: the id of the interaction, or model and external_id, is required' };
  }
  if (given.retracted && !given.id) return { error: 'id: is required to take feedback back' };
  return {
    index,
    id: given.id?.toLowerCase() ?? newId(),
    content: feedbackContent(given, now),
    retracted: given.retracted ?? false,
    interaction,
    model,
    externalId,
  };
}
