import { type FeedbackRecord, feedbackRecord, retraction } from './feedback-record.js';
import { byToken, type FeedbackSender } from './feedback-sender.js';
import { newId } from './ids.js';
import { describeIssues } from './item-result.js';
import type { InteractionReference } from './resolve-interactions.js';

/** One item of a batch of feedback, checked. */
export interface FeedbackItem extends InteractionReference {
  /** In the batch. */
  index: number;
  id: string;
  /** It came with its id, under which it may be stored already. */
  named: boolean;
  /** Null for a bare `{id, retracted}`. */
  given: FeedbackRecord | null;
  retracted: boolean;
}

/** Checks one item as sent; `error` says what is wrong and quotes nothing. */
export function parseFeedback(item: unknown, index: number, sender: FeedbackSender): FeedbackItem | { error: string } {
  const bare = retraction.safeParse(item);
  if (bare.success) {
    const id = bare.data.id.toLowerCase();
    return { index, id, named: true, given: null, retracted: true, interaction: null, model: null, externalId: null };
  }
  const parsed = feedbackRecord.safeParse(item);
  if (!parsed.success) return { error: describeIssues(parsed.error.issues) };
  const said =
    sender.interaction === null
      ? { given: parsed.data }
      : byToken(parsed.data, { model: sender.model, interaction: sender.interaction });
  if ('error' in said) return said;
  const { given } = said;
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
    named: Boolean(given.id),
    given,
    retracted: given.retracted ?? false,
    interaction,
    model,
    externalId,
  };
}
