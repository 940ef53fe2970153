import { deriveInteractionId } from '../interactions/index.js';
import { type FeedbackScale, feedbackOnScale } from './feedback-scale.js';
import { type Format, type FormatOptions, type Item, refused } from './format.js';
import { instantOf } from './instant.js';
import { compact, type Fields, fieldsOf, numberOf, tagsOf, textOf } from './values.js';

/** Columns of the table `usage`. All others are left alone. */
export const USAGE_COLUMNS = [
  'id',
  'timestamp',
  'query',
  'response',
  'model',
  'expert',
  'latency_ms',
  'token_count',
  'quality_score',
  'user_feedback',
  'feedback_text',
] as const;

/**
 * Rows of a SQLite table `usage`. `scale` says what the numbers or words in `user_feedback` mean; it is read from the whole
 * column first. Feedback has an id of its own, of the row and what it says: what people say later comes in with the next
 * import.
 */
export function usageTable(scale: FeedbackScale): Format {
  return {
    needsModel: false,
    remembers: false,
    recognizes: () => false,
    mapper:
      (options) =>
      ({ value }) =>
        itemsOf(fieldsOf(value) ?? {}, scale, options),
  };
}

function itemsOf(row: Fields, scale: FeedbackScale, options: FormatOptions): Item[] {
  const external_id = typeof row.id === 'bigint' ? String(row.id) : (textOf(row.id) ?? numberOf(row.id)?.toString());
  if (external_id === undefined) return refused('id: is missing');
  const timestamp = instantOf(row.timestamp);
  if (timestamp === undefined) return refused('timestamp: is not one');
  const content = textOf(row.query);
  if (content === undefined) return refused('query: is empty');
  const model = options.model ?? textOf(row.model);
  if (model === undefined) return refused('model: is missing, and no --model is given');
  const answer = textOf(row.response);
  const tokens = numberOf(row.token_count);
  const record = compact({
    external_id,
    timestamp,
    model,
    request: { messages: [{ role: 'user', content }] },
    response:
      answer &&
      compact({
        choices: [{ index: 0, message: { role: 'assistant', content: answer } }],
        usage: tokens === undefined ? undefined : { total_tokens: tokens },
      }),
    latency_ms: numberOf(row.latency_ms),
    tags: tagsOf({ expert: row.expert, model: options.model === undefined ? undefined : row.model }),
  });
  const quality = numberOf(row.quality_score);
  const comment = textOf(row.feedback_text);
  const said: (Fields | undefined)[] = [
    quality === undefined ? undefined : { kind: 'score', name: 'quality_score', value: quality, source: 'system' },
    feedbackOnScale(row.user_feedback, scale),
    comment === undefined ? undefined : { kind: 'comment', value: comment },
  ];
  const feedback = said.flatMap((kind): Item[] => {
    if (kind === undefined) return [];
    const id = deriveInteractionId(model, new Date(timestamp), `usage ${external_id} ${JSON.stringify(kind)}`);
    return [{ kind: 'feedback', record: { id, model, external_id, timestamp, ...kind } }];
  });
  return [{ kind: 'interaction', record }, ...feedback];
}
