import { type Fields, numberOf } from './values.js';

/** What the values of a feedback column mean. */
export type FeedbackScale = { kind: 'thumbs'; zero: 0 | -1 } | { kind: 'rating'; min: number; max: number };

/** What is known of a column: the range of its numbers, whether all are whole, and whether rows are without a value. */
export interface ColumnRange {
  min: number | null;
  max: number | null;
  whole: boolean;
  hasEmpty: boolean;
}

const UP = new Set([
  'up',
  'thumbs_up',
  'thumbsup',
  'thumbs up',
  'positive',
  'good',
  'like',
  'liked',
  'yes',
  'true',
  'helpful',
  '👍',
]);
const DOWN = new Set([
  'down',
  'thumbs_down',
  'thumbsdown',
  'thumbs down',
  'negative',
  'bad',
  'dislike',
  'disliked',
  'no',
  'false',
  'unhelpful',
  'not_helpful',
  '👎',
]);

/**
 * The scale that the numbers of a column are on: whole ones from -1 to 1 are thumbs; up to 1 with fractions a rating from 0
 * to 1 (-1 to 1 when negative); up to 5, 10 or 100 a rating up to there, from 1 when none is below it, else from 0.
 * In a column of 0 and 1 alone, 0 is a thumb down when other rows have no value, and says nothing when all rows have one.
 */
export function scaleOf({ min, max, whole, hasEmpty }: ColumnRange): FeedbackScale {
  if (min === null || max === null) return { kind: 'thumbs', zero: 0 };
  if (whole && min >= -1 && max <= 1) return { kind: 'thumbs', zero: min >= 0 && hasEmpty ? -1 : 0 };
  if (max <= 1 && min >= -1) return { kind: 'rating', min: min < 0 ? -1 : 0, max: 1 };
  const top = [5, 10, 100].find((limit) => max <= limit) ?? max;
  return { kind: 'rating', min: min >= 1 ? 1 : Math.min(0, min), max: top };
}

/** The feedback a value is, or undefined when it says nothing. */
export function feedbackOnScale(value: unknown, scale: FeedbackScale): Fields | undefined {
  const word = typeof value === 'string' ? value.trim().toLowerCase() : '';
  if (UP.has(word)) return { kind: 'thumbs', value: 1 };
  if (DOWN.has(word)) return { kind: 'thumbs', value: -1 };
  const number = typeof value === 'bigint' ? Number(value) : numberOf(value);
  if (number === undefined) return undefined;
  if (scale.kind === 'thumbs')
    return [-1, 0, 1].includes(number) ? { kind: 'thumbs', value: number === 0 ? scale.zero : number } : undefined;
  return number < scale.min || number > scale.max
    ? undefined
    : { kind: 'rating', value: number, min: scale.min, max: scale.max };
}
