import { describe, expect, it } from 'vitest';
import { feedbackOnScale, scaleOf } from './feedback-scale.js';
import { recognizeFormat } from './formats.js';
import { instantOf } from './instant.js';

describe('instantOf', () => {
  it.each([
    [1_793_534_400, '2026-11-01T12:00:00.000Z'],
    [1_793_534_400_123, '2026-11-01T12:00:00.123Z'],
    [1_793_534_400_123_456, '2026-11-01T12:00:00.123Z'],
    [1_793_534_400_123_000_000, '2026-11-01T12:00:00.123Z'],
    ['1793534400', '2026-11-01T12:00:00.000Z'],
    ['2026-11-01T12:00:00Z', '2026-11-01T12:00:00.000Z'],
    ['2026-11-01 12:00:00.123456', '2026-11-01T12:00:00.123Z'],
    ['2026-11-01 12:00:00 UTC', '2026-11-01T12:00:00.000Z'],
    ['2026-11-01T14:00:00+02', '2026-11-01T12:00:00.000Z'],
    ['2026-11-01T14:00:00.5+02:00', '2026-11-01T12:00:00.500Z'],
    ['2026-11-01', '2026-11-01T00:00:00.000Z'],
  ])('understands %s', (written, instant) => expect(instantOf(written)).toBe(instant));

  it.each([
    null,
    undefined,
    '',
    'soon',
    -1,
    '1969-12-31',
    Number.NaN,
    Number.POSITIVE_INFINITY,
    1e30,
    '2026-13-01',
    {},
    true,
  ])('says that %s is none', (written) => expect(instantOf(written)).toBeUndefined());
});

describe('the scale of a feedback column', () => {
  const scale = (min: number | null, max: number | null, whole = true, hasEmpty = false) =>
    scaleOf({ min, max, whole, hasEmpty });

  it('is thumbs for whole numbers from -1 to 1; 0 is down only where others are empty', () => {
    expect(scale(-1, 1)).toEqual({ kind: 'thumbs', zero: 0 });
    expect(scale(0, 1)).toEqual({ kind: 'thumbs', zero: 0 });
    expect(scale(0, 1, true, true)).toEqual({ kind: 'thumbs', zero: -1 });
    expect(scale(-1, 1, true, true)).toEqual({ kind: 'thumbs', zero: 0 });
  });

  it('is a rating as far as the numbers go', () => {
    expect(scale(0, 1, false)).toEqual({ kind: 'rating', min: 0, max: 1 });
    expect(scale(1, 5)).toEqual({ kind: 'rating', min: 1, max: 5 });
    expect(scale(0, 4)).toEqual({ kind: 'rating', min: 0, max: 5 });
    expect(scale(0, 10)).toEqual({ kind: 'rating', min: 0, max: 10 });
    expect(scale(12, 97)).toEqual({ kind: 'rating', min: 1, max: 100 });
  });

  it('takes words for thumbs on any of them, and nothing for what is not on it', () => {
    for (const word of ['up', ' Thumbs_Up ', 'positive', '👍'])
      expect(feedbackOnScale(word, scale(1, 5))).toEqual({ kind: 'thumbs', value: 1 });
    expect(feedbackOnScale('bad', scale(null, null))).toEqual({ kind: 'thumbs', value: -1 });
    expect(feedbackOnScale('perhaps', scale(-1, 1))).toBeUndefined();
    expect(feedbackOnScale(null, scale(-1, 1))).toBeUndefined();
    expect(feedbackOnScale(7n, scale(1, 10))).toEqual({ kind: 'rating', value: 7, min: 1, max: 10 });
  });
});

describe('recognizeFormat', () => {
  it('tells the most special format that a row looks like', () => {
    const request = { messages: [] };
    expect(recognizeFormat({ request, response: {}, timestamp: 1, workload_id: 'w' })).toBe('data-flywheel');
    expect(recognizeFormat({ _id: '1', _source: { request, client_id: 'c' } })).toBe('data-flywheel');
    expect(recognizeFormat({ request, response: {} })).toBe('openai');
    expect(recognizeFormat({ request, response: {}, timestamp: 't', model: 'm', external_id: 'e' })).toBe('records');
    expect(recognizeFormat({ messages: [] })).toBe('messages');
    expect(recognizeFormat({ target_id: 'x', value: true })).toBe('tensorzero');
    expect(recognizeFormat({ id: 'o', trace_id: 't', start_time: 's' })).toBe('langfuse');
    for (const nothing of [{}, [], null, 7, 'text', { note: 'hello' }])
      expect(recognizeFormat(nothing)).toBeUndefined();
  });
});
