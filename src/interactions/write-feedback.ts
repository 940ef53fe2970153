import type pg from 'pg';
import type { CapturePolicies } from './capture-policies.js';
import { type CountedFeedback, countFeedback, giverOf, uncountFeedback } from './count-feedback.js';
import type { FeedbackContent } from './feedback-row.js';
import type { FeedbackSender } from './feedback-sender.js';
import { type FeedbackRow, insertFeedback } from './insert-feedback.js';
import { readDigests } from './insert-interactions.js';
import { missingChoices } from './missing-choices.js';
import type { FeedbackItem } from './parse-feedback.js';
import { type FoundInteraction, resolveInteractions } from './resolve-interactions.js';

/** What a transaction made of feedback; what is in neither list is stored already. */
export interface WrittenFeedback {
  inserted: ReadonlySet<string>;
  /** Id → why it must not be stored. */
  refused: ReadonlyMap<string, string>;
  overLimit: ReadonlySet<string>;
}

type Said = FeedbackItem & { content: FeedbackContent };

/** Writes feedback, each of another id, where it belongs or is parked: what is within the limits and not there yet. */
export async function writeFeedback(
  client: pg.PoolClient,
  batch: readonly Said[],
  policies: CapturePolicies,
  sender: FeedbackSender,
): Promise<WrittenFeedback> {
  const resolve = await resolveInteractions(client, batch);
  const there = await readDigests(
    client,
    'feedback',
    batch.flatMap(({ id, named }) => (named ? [id] : [])),
  );
  const fresh = batch
    .filter(({ id }) => !there.has(id))
    .map((item) => {
      const found = visible(resolve(item), sender);
      return { item, found, row: rowOf(item, found, sender) };
    });
  const missing = await missingChoices(
    client,
    fresh.flatMap(({ item: { id, content }, found }) =>
      found === undefined ? [] : [{ id, interaction: found.id, choiceIndex: content.choiceIndex }],
    ),
  );
  const possible = fresh.filter(({ row }) => !missing.has(row.id));
  const counted = possible.flatMap(({ row, found }) => countedOf(row, found, policies));
  const overLimit = await countFeedback(client, counted);
  const inserted = await insertFeedback(
    client,
    possible.flatMap(({ row }) => (overLimit.has(row.id) ? [] : [row])),
  );
  // Somebody else stored them between the look and the insert.
  await uncountFeedback(
    client,
    counted.filter(({ id }) => !inserted.has(id) && !overLimit.has(id)),
  );
  const limits = new Map(counted.map(({ id, limit }) => [id, limit]));
  const refused = new Map<string, string>();
  for (const id of missing) refused.set(id, 'choice_index: the interaction has no such choice');
  for (const id of overLimit) {
    const most = `over the limit of ${limits.get(id)} a day for one subject (feedback.max_per_subject_per_day)`;
    refused.set(id, `${most}; not stored`);
  }
  return { inserted, refused, overLimit };
}

function rowOf(item: Said, found: FoundInteraction | undefined, sender: FeedbackSender): FeedbackRow {
  const { id, retracted, externalId } = item;
  const { kind, body, choiceIndex, source, givenAt, digest } = item.content;
  const place =
    found === undefined ? parkedName(item, sender) : { model: found.model, interactionId: found.id, externalId };
  return { id, retracted, kind, body, choiceIndex, source, givenAt, digest, ...place };
}

/**
 * Where feedback waits for an interaction not seen yet. A sender bound to one model must not reach an interaction of
 * another one, known or still to come, by guessing its id: such feedback waits under (its model, the id as a name), and
 * is joined only to an interaction of that model.
 */
function parkedName(
  item: FeedbackItem,
  { model }: FeedbackSender,
): Pick<FeedbackRow, 'model' | 'interactionId' | 'externalId'> {
  if (item.interaction === null) return { model: item.model, interactionId: null, externalId: item.externalId };
  if (model === null) return { model: null, interactionId: item.interaction, externalId: item.externalId };
  return { model, interactionId: null, externalId: item.interaction };
}

/** Of a user's feedback, what counts towards the limit; none when there is no limit. A day in the future is today. */
function countedOf(
  { id, model, interactionId, externalId, source, givenAt }: FeedbackRow,
  found: FoundInteraction | undefined,
  policies: CapturePolicies,
): CountedFeedback[] {
  // Of a model not known yet, what holds for one that does not say.
  const limit = policies.of(model ?? '').feedback.max_per_subject_per_day;
  if (source !== 'user' || limit === null) return [];
  const giver = giverOf(found, { interactionId, externalId });
  const now = new Date().toISOString();
  return [{ id, model: model ?? '', giver, day: (givenAt < now ? givenAt : now).slice(0, 10), limit }];
}

/** Unless the sender may not see it: then it is as if it were not there. */
export function visible<T extends { model: string }>(found: T | undefined, { model }: FeedbackSender): T | undefined {
  return found === undefined || (model !== null && found.model !== model) ? undefined : found;
}
