import { describe, expect, test } from 'vitest';
import { safeDetail } from './safe-detail.js';

describe('a foreign message', () => {
  test.each([
    ['CUDA out of memory', 'CUDA out of memory'],
    ['row 7 "my secret is 42" is too long', 'row 7 … is too long'],
    ["bad row: 'my secret", 'bad row: …'],
    ['failed for a@b.co\n  at 10.0.0.1', 'failed for [EMAIL] at [IP]'],
  ])('%j becomes %j', (message, expected) => {
    expect(safeDetail(message)).toBe(expected);
  });

  test('is cut to 200 characters', () => {
    expect(safeDetail('x'.repeat(10_000))).toHaveLength(200);
  });
});
