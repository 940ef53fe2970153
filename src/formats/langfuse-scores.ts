import { deriveInteractionId } from '../interactions/index.js';
import type { FormatOptions, Item } from './format.js';
import { instantOf } from './instant.js';
import { compact, type Fields, numberOf, textOf, unpacked } from './values.js';

/** What a score is about: the observation, and when it was asked, if that is known. */
export interface Scored {
  name: string;
  at: string | undefined;
}

/** Names under which apps usually record a user's thumb. */
const THUMBS = ['user-feedback', 'user_feedback', 'userFeedback', 'feedback', 'thumbs'];
const SOURCES: Record<string, string> = { ANNOTATION: 'reviewer', EVAL: 'system', API: 'user' };

/** Columns of the observations' table that hold a number and are no score. */
const NO_SCORES = new Set(
  `latency timeToFirstToken promptVersion inputCost outputCost totalCost inputUsage outputUsage totalUsage promptTokens
  completionTokens totalTokens inputTokens outputTokens inputPrice outputPrice totalPrice calculatedInputCost
  calculatedOutputCost calculatedTotalCost unitPrice tokensPerSecond timestamp version modelId`.split(/\s+/),
);

export function isScore(fields: Fields): boolean {
  return ('data_type' in fields || 'dataType' in fields) && textOf(fields.name) !== undefined && 'value' in fields;
}

/**
 * The table export has a column for every name of a score, with a list of values. Only camelCase rows have them: other
 * exports carry scores in files of their own.
 */
export function columnScores(fields: Fields): Fields[] {
  if (!('traceId' in fields)) return [];
  return Object.entries(fields).flatMap(([name, cell]) => {
    if (NO_SCORES.has(name)) return [];
    const list = unpacked(cell);
    const values = (Array.isArray(list) ? (list as unknown[]) : [cell]).map(numberOf);
    return values.length === 0 || values.includes(undefined) ? [] : values.map((value) => ({ name, value }));
  });
}

/** The feedback of one score: `thumbs` for the names that mean one, else `score`; labels, texts and comments as `comment`. */
export function scoreItems(score: Fields, about: Scored, options: FormatOptions): Item[] {
  const name = textOf(score.name);
  if (name === undefined) return [{ kind: 'refused', reason: 'name: a score needs one' }];
  const timestamp = instantOf(score.timestamp) ?? instantOf(score.created_at ?? score.createdAt) ?? about.at;
  const type = textOf(score.data_type) ?? textOf(score.dataType);
  const label = textOf(score.string_value) ?? textOf(score.stringValue);
  const value = numberOf(score.value) ?? (typeof score.value === 'boolean' ? Number(score.value) : undefined);
  const source = SOURCES[textOf(score.source) ?? ''] ?? 'user';
  const kinds: Fields[] = [];
  if (type === 'CATEGORICAL' || type === 'TEXT') {
    const text = label ?? textOf(score.value);
    if (text !== undefined) kinds.push({ kind: 'comment', value: `${name}: ${text}` });
  } else if (value !== undefined) {
    const thumb = (options.thumbs ?? THUMBS).includes(name) && [-1, 0, 1].includes(value);
    // In a yes-or-no score 0 is no; there is no neutral thumb.
    kinds.push(thumb ? { kind: 'thumbs', value: value === 1 ? 1 : -1 } : { kind: 'score', name, value });
  }
  const comment = textOf(score.comment);
  if (comment !== undefined) kinds.push({ kind: 'comment', value: comment });
  if (kinds.length === 0) return [{ kind: 'refused', reason: 'value: a score needs one' }];
  return kinds.map((kind) => ({
    kind: 'feedback',
    record: compact({
      // Of the score's own id, so that a resend finds itself; without one, of what it says.
      id: deriveInteractionId(
        'langfuse',
        new Date(timestamp ?? 0),
        `${textOf(score.id) ?? about.name} ${JSON.stringify(kind)}`,
      ),
      model: options.model,
      external_id: about.name,
      source,
      timestamp,
      ...kind,
    }),
  }));
}
