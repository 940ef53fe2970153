import type { FeedbackRecord } from './feedback-record.js';

/** Who sends feedback, and how far it reaches. */
export interface FeedbackSender {
  /** The only model the sender may see; null for all. */
  model: string | null;
  /** The only interaction it may speak of, as the person who was answered: the bearer of a feedback token. Null for all. */
  interaction: string | null;
}

/**
 * Feedback as the bearer of a token for one interaction gives it: about that interaction, by its user, now. Anything that
 * says otherwise is refused, and so are scores, which are given by programs.
 */
export function byToken(
  given: FeedbackRecord,
  { model, interaction }: { model: string | null; interaction: string },
): { given: FeedbackRecord } | { error: string } {
  if (given.kind === 'score') return { error: 'kind: a score cannot be given with a feedback token' };
  if ((given.source ?? 'user') !== 'user') return { error: 'source: is "user" with a feedback token' };
  if (given.timestamp) return { error: 'timestamp: cannot be given with a feedback token; it is the time of arrival' };
  const { model: named, external_id: externalId, ...said } = given;
  const isOther = (said.interaction ?? interaction).toLowerCase() !== interaction || (named ?? model) !== model;
  if (isOther || externalId) return { error: 'interaction: the feedback token is for one interaction and no other' };
  return { given: { ...said, interaction } };
}
