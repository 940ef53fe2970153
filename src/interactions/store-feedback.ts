import type { Db } from '../db/index.js';
import { attachParked } from './attach-parked.js';
import { capturePolicies } from './capture-policies.js';
import { type FeedbackSaid, feedbackContents } from './feedback-contents.js';
import type { FeedbackSender } from './feedback-sender.js';
import { conflict, type ItemResult, invalid } from './item-result.js';
import { knownModels, unknownModel } from './known-models.js';
import { type FeedbackItem, parseFeedback } from './parse-feedback.js';
import { resolveInteractions } from './resolve-interactions.js';
import { retractFeedback } from './retract-feedback.js';
import { visible, writeFeedback } from './write-feedback.js';
import { writeRows } from './write-rows.js';

type Said = FeedbackSaid & { content: NonNullable<FeedbackSaid['content']> };

/**
 * Stores feedback (see `feedbackRecord`) about interactions; resolves after COMMIT with one result for each item, in their
 * order. Feedback about an interaction not seen yet is stored and joined to it when it comes, see `sweepFeedback` for how
 * long it waits. A resend of an id changes nothing, another body under it is a conflict, `retracted: true` takes it back.
 * What is over `feedback.max_per_subject_per_day`, or about a choice that does not exist, is invalid.
 *
 * @param options.model the only model the sender may see: feedback reaches no interaction of another one
 * @param options.interaction the only interaction the sender may speak of, as its user: the bearer of a feedback token
 * @param options.onOverLimit is told how many were over the limit
 * @throws errors of the database when it is away; the batch may be sent again, except items without an id
 */
export async function storeFeedback(
  db: Pick<Db, 'pool'>,
  items: readonly unknown[],
  options: Partial<FeedbackSender> & { onOverLimit?: (count: number) => void } = {},
): Promise<ItemResult[]> {
  const sender: FeedbackSender = { model: options.model ?? null, interaction: options.interaction ?? null };
  const results: ItemResult[] = Array.from({ length: items.length });
  const parsed: FeedbackItem[] = [];
  items.forEach((item, index) => {
    const outcome = parseFeedback(item, index, sender);
    if ('error' in outcome) results[index] = invalid(item, outcome.error);
    else parsed.push(outcome);
  });
  const named = parsed.flatMap(({ model }) => model ?? []);
  const models = await knownModels(db, named, sender.model);
  const known = parsed.filter((item) => {
    if (item.model === null || models.has(item.model)) return true;
    results[item.index] = { id: item.id, status: 'invalid', error: unknownModel(item.model) };
    return false;
  });
  const policies = await capturePolicies(db, sender.model === null ? named : [sender.model]);
  const said = await feedbackContents(db, known, policies, sender);

  // The first item of an id is written; later ones of the same batch meet it as they would meet a stored one.
  const first = new Map<string, Said>();
  for (const item of said) {
    const { id, content } = item;
    if (content !== null && !first.has(id)) first.set(id, { ...item, content });
  }
  const stored = new Set<string>();
  const refused = new Map<string, string>();
  const overLimit = new Set<string>();
  await writeRows(
    db,
    [...first.values()],
    async (client, batch) => {
      const written = await writeFeedback(client, batch, policies, sender);
      // A second attempt after a race must not remember the first.
      for (const { id } of batch) {
        for (const list of [stored, refused, overLimit]) list.delete(id);
        const problem = written.refused.get(id);
        if (problem !== undefined) refused.set(id, problem);
        if (written.inserted.has(id)) stored.add(id);
        if (written.overLimit.has(id)) overLimit.add(id);
      }
    },
    ({ id }, code) => refused.set(id, `cannot be stored (SQLSTATE ${code})`),
  );
  if (overLimit.size > 0) options.onOverLimit?.(overLimit.size);
  const outcomes = await retractFeedback(
    db,
    said.filter(({ id }) => !refused.has(id)),
    stored,
    sender,
  );
  // The interactions may have come while this was written, see attachParked.
  const resolve = await resolveInteractions(db.pool, [...first.values()]);
  await attachParked(
    db.pool,
    [...first.values()].flatMap((item) => visible(resolve(item), sender) ?? []),
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
