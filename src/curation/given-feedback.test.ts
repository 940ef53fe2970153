import { describe, expect, test } from 'vitest';
import { type GivenFeedback, scoreOf, signalOf } from './given-feedback.js';

const given = (...all: Record<string, unknown>[]): GivenFeedback[] =>
  all.map(({ kind, ...body }, i) => ({ id: `${i}`, kind: kind as string, body }));
const up = { kind: 'thumbs', value: 1 };
const down = { kind: 'thumbs', value: -1 };
const correction = { kind: 'correction', value: 'right' };
const rating = (value: number, min = 1, max = 5) => ({ kind: 'rating', value, min, max });

describe('the signal of feedback', () => {
  test.each([
    ['thumbs up', [up], 'positive'],
    ['thumbs down', [down], 'negative'],
    ['thumbs level, which says nothing', [{ kind: 'thumbs', value: 0 }], 'none'],
    ['nothing', [], 'none'],
    ['only a comment and a copy', [{ kind: 'comment', value: 'hm' }, { kind: 'copied' }], 'none'],
    ['a rating at the threshold', [rating(4)], 'positive'],
    ['a rating below it', [rating(3)], 'negative'],
    ['a rating on a scale without range', [rating(1, 1, 1)], 'none'],
    ['up, then down', [up, down], 'negative'],
    ['down, then up', [down, up], 'positive'],
    ['up, then a comment', [up, { kind: 'comment', value: 'thanks' }], 'positive'],
    ['a rating, then thumbs level', [rating(5), { kind: 'thumbs', value: 0 }], 'positive'],
    ['down with a correction before it', [correction, down], 'correction'],
    ['a correction, then up', [correction, up], 'correction'],
    ['a blank correction', [{ kind: 'correction', value: '  ' }], 'none'],
    ['a blank correction after thumbs down', [down, { kind: 'correction', value: '' }], 'negative'],
  ])('%s', (_what, feedback, expected) => {
    expect(signalOf(given(...feedback), 0.75).kind).toBe(expected);
  });

  test('the latest correction is the answer', () => {
    expect(signalOf(given(correction, { kind: 'correction', value: 'better' }, down), 0.75)).toEqual({
      kind: 'correction',
      answer: 'better',
    });
  });
});

test('the latest score of a name counts', () => {
  const scores = given(
    { kind: 'score', name: 'quality', value: 0.2 },
    { kind: 'score', name: 'quality', value: 0.9 },
    { kind: 'score', name: 'toxicity', value: 0.1 },
  );
  expect(scoreOf(scores, 'quality')).toBe(0.9);
  expect(scoreOf(scores, 'style')).toBeUndefined();
});
