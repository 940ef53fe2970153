import { recordDigest } from './digest.js';
import { type EmbeddedFeedback, type FeedbackRecord, fieldsOf } from './feedback-record.js';
import { deriveFeedbackId } from './ids.js';
import type { FeedbackRow } from './insert-feedback.js';
import { storableJson } from './storable-json.js';

/** What a row says by itself, without where it belongs. */
export type FeedbackContent = Pick<FeedbackRow, 'kind' | 'body' | 'choiceIndex' | 'source' | 'givenAt' | 'digest'>;

/**
 * @param otherwiseAt when it was given, if it does not say so; not part of its digest, so that a later resend is the same
 */
export function feedbackContent(given: EmbeddedFeedback | FeedbackRecord, otherwiseAt: Date): FeedbackContent {
  const fields = given as Record<string, unknown>;
  const timestamp = given.timestamp ? new Date(given.timestamp) : undefined;
  const choiceIndex = given.choice_index ?? 0;
  const source = given.source ?? 'user';
  const { id: _id, retracted: _retracted, ...said } = fields;
  const lowercase = typeof said.interaction === 'string' ? said.interaction.toLowerCase() : undefined;
  return {
    kind: given.kind,
    body: storableJson(Object.fromEntries(fieldsOf(given.kind).map((name) => [name, fields[name]]))),
    choiceIndex,
    source,
    givenAt: (timestamp ?? otherwiseAt).toISOString(),
    digest: recordDigest({
      ...said,
      interaction: lowercase,
      choice_index: choiceIndex,
      source,
      timestamp: timestamp?.toISOString(),
    }),
  };
}

/** The row of feedback that came inside its interaction's record, with its deterministic id. */
export function embeddedFeedbackRow(
  interaction: { id: string; model: string; askedAt: Date },
  given: EmbeddedFeedback,
  position: number,
): FeedbackRow {
  const content = feedbackContent(given, interaction.askedAt);
  return {
    ...content,
    id: deriveFeedbackId(interaction.id, position, content.digest),
    model: interaction.model,
    interactionId: interaction.id,
    externalId: null,
    retracted: false,
  };
}
