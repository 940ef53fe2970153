import { encodeInteraction } from './encode-interaction.js';
import { embeddedFeedbackRow } from './feedback-row.js';
import { deriveInteractionId } from './ids.js';
import type { FeedbackRow } from './insert-feedback.js';
import type { InteractionRow } from './insert-interactions.js';
import type { InteractionRecord } from './record.js';
import { hashSubject, hideSubjects, subjectInBody } from './subject.js';

/** The rows of one record: the interaction and the feedback that came with it. */
export interface RecordRows {
  interaction: InteractionRow;
  feedback: FeedbackRow[];
}

export function rowsOfRecord(subjectKey: string, record: InteractionRecord): RecordRows {
  const askedAt = new Date(record.timestamp);
  const timestamp = askedAt.toISOString();
  const id = record.id?.toLowerCase() ?? deriveInteractionId(record.model, askedAt, record.external_id ?? '');
  const named = record.subject ?? subjectInBody(record.request);
  const subject = named === undefined ? null : hashSubject(subjectKey, named);
  const request = hideSubjects(subjectKey, record.request);
  const response = record.response ?? null;
  const tags = record.tags ?? {};
  const feedback = (record.feedback ?? []).map((given, position) =>
    embeddedFeedbackRow({ id, model: record.model, askedAt }, given, position),
  );
  return {
    interaction: {
      id,
      model: record.model,
      externalId: record.external_id ?? null,
      askedAt: timestamp,
      subject,
      session: record.session ?? null,
      experimentId: null,
      arm: null,
      assignedVersion: null,
      version: record.version ?? null,
      status: response === null ? 'incomplete' : 'complete',
      latencyMs: record.latency_ms === null || record.latency_ms === undefined ? null : Math.round(record.latency_ms),
      ...usageOf(response),
      ...encodeInteraction({
        id,
        externalId: record.external_id ?? null,
        timestamp,
        model: record.model,
        // The hashed one: a digest over the one in clear would confirm a guess.
        subject,
        session: record.session ?? null,
        version: record.version ?? null,
        latencyMs: record.latency_ms ?? null,
        request,
        response,
        tags,
        feedback: feedback.map(({ digest }) => digest.toString('hex')),
      }),
    },
    feedback,
  };
}

/** Token counts as the upstream reported them; null where it did not, or not as whole numbers. */
export function usageOf(
  response: Record<string, unknown> | null,
): Pick<InteractionRow, 'promptTokens' | 'completionTokens'> {
  const usage = (response?.usage ?? {}) as Record<string, unknown>;
  return { promptTokens: count(usage.prompt_tokens), completionTokens: count(usage.completion_tokens) };
}

function count(value: unknown): number | null {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 2_147_483_647
    ? (value as number)
    : null;
}
