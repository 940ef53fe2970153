import { describe, expect, it } from 'vitest';
import { progressLine } from './progress-bar.js';

describe('progressLine', () => {
  it('has a bar, the rate since it began and the time that is left', () => {
    const line = progressLine('lines', { done: 60_000, share: 0.5 }, { done: 10_000, share: 0.25 }, 10);
    expect(line).toBe('[============>           ] 50 %  60,000 lines  5,000/s  0:20 left');
  });

  it('does without an end that is not known', () => {
    expect(progressLine('lines', { done: 1_200, share: undefined }, { done: 0, share: undefined }, 2)).toBe(
      '1,200 lines  600/s',
    );
  });

  it('is full at the end', () => {
    expect(progressLine('lines', { done: 9, share: 1 }, { done: 0, share: 0 }, 7_300)).toBe(
      '[========================] 100 %  9 lines  0/s',
    );
  });
});
