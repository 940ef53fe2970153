import { expect, test } from 'vitest';
import { chiSquareSf } from './chi-square.js';
import { twoSidedP } from './normal.js';
import { sampleRatioTest } from './sample-ratio.js';

test.each([
  [15, 1, 0.00010751117672950056],
  [300, 1, 3.294362383314041e-67],
  [9, 2, 0.011108996538242306],
  [33.5, 7, 0.000021360472515485305],
  [120, 12, 6.180223580811603e-20],
  [900, 40, 8.168029978662965e-163],
  [1500, 1000, 1.0454640385979657e-22],
])('the tail beyond %d with %d degrees of freedom is right to eleven digits', (x, df, tail) => {
  expect(Math.abs(chiSquareSf(x, df) / tail - 1)).toBeLessThan(1e-11);
});

test('no fraction of a degree of freedom and no negative statistic is accepted', () => {
  expect(chiSquareSf(0, 3)).toBe(1);
  expect(() => chiSquareSf(1, 0)).toThrow(RangeError);
  expect(() => chiSquareSf(1, 1.5)).toThrow(RangeError);
  expect(() => chiSquareSf(-1, 1)).toThrow(RangeError);
  expect(() => chiSquareSf(NaN, 1)).toThrow(RangeError);
});

test('a split of 9100 to 900 under 90/10 raises the alarm, 9090 to 910 does not', () => {
  const bad = sampleRatioTest([9100, 900], [0.9, 0.1]);
  expect(bad.chiSquare).toBeCloseTo(100 / 9, 10);
  expect(bad.p).toBeCloseTo(twoSidedP(10 / 3), 14);
  expect(bad.mismatch).toBe(true);
  const good = sampleRatioTest([9090, 910], [0.9, 0.1]);
  expect(good.p).toBeCloseTo(0.0026997960632601866, 14);
  expect(good.mismatch).toBe(false);
});

test('shares are weights, nobody observed is no mismatch, and nonsense is refused', () => {
  expect(sampleRatioTest([91, 9], [9, 1])).toEqual(sampleRatioTest([91, 9], [0.9, 0.1]));
  expect(sampleRatioTest([0, 0], [0.9, 0.1])).toEqual({ chiSquare: 0, p: 1, mismatch: false });
  expect(() => sampleRatioTest([1, 2], [1, 0])).toThrow(RangeError);
  expect(() => sampleRatioTest([1], [1])).toThrow(RangeError);
  expect(() => sampleRatioTest([1, 2], [1])).toThrow(RangeError);
});
