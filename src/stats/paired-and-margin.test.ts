import fc from 'fast-check';
import { expect, test } from 'vitest';
import { alwaysValidHalfWidth, alwaysValidP } from './always-valid.js';
import { marginTest, scoreLimits, waldLimits } from './margin-test.js';
import { exactMcNemar } from './mcnemar.js';
import { newcombeLimits } from './score-limits.js';
import { twoProportionZ } from './two-proportions.js';
import { welchInterval, welchTest } from './welch.js';

const arm = fc
  .integer({ min: 1, max: 20_000 })
  .chain((n) => fc.record({ n: fc.constant(n), x: fc.integer({ min: 0, max: n }) }));

// statsmodels 0.15, mcnemar(exact=True); SciPy 1.17 binom for the one-sided and the mid-p values.
test.each([
  [10, 2, 0.03857421875, 0.019287109375, 0.0224609375],
  [5, 5, 1, 0.623046875, 1],
  [0, 8, 0.0078125, 1, 0.00390625],
  [60, 40, 0.05688793364098089, 0.028443966820490444, 0.04604406692934291],
  [121, 59, 4.4344492637551645e-6, 2.2172246318775823e-6, 3.2666467957745733e-6],
  [1, 0, 1, 0.5, 0.5],
])('McNemar of %d against %d is exact', (b, c, p, better, mid) => {
  const result = exactMcNemar(b, c);
  expect(Math.abs(result.p / p - 1)).toBeLessThan(1e-11);
  expect(Math.abs(result.pBetter / better - 1)).toBeLessThan(1e-11);
  expect(Math.abs(result.midP - mid)).toBeLessThan(1e-11);
  expect(exactMcNemar(c, b).p).toBeCloseTo(result.p, 14);
});

test('without a row that differs McNemar knows nothing, and counts are whole numbers', () => {
  expect(exactMcNemar(0, 0)).toEqual({ p: 1, pBetter: 1, midP: 1 });
  expect(() => exactMcNemar(1.5, 2)).toThrow(RangeError);
  expect(() => exactMcNemar(-1, 2)).toThrow(RangeError);
});

test('Welch as in SciPy, and with variances that differ by a lot', () => {
  // ttest_ind_from_stats(…, equal_var=False), challenger second: the sign is turned.
  const test = welchTest({ n: 12, mean: 5.2, variance: 2.25 }, { n: 7, mean: 4.1, variance: 6.25 });
  expect(test.t).toBeCloseTo(-1.0583005244258368, 12);
  expect(test.p).toBeCloseTo(0.3188074685759772, 12);
  const far = welchTest({ n: 40, mean: 1e8, variance: 4e-6 }, { n: 40, mean: 1e8 + 1, variance: 1e-6 });
  expect(Math.abs(far.p / 3.115983274841789e-149 - 1)).toBeLessThan(1e-9);
  expect(welchTest({ n: 1, mean: 5, variance: 0 }, { n: 9, mean: 4, variance: 1 })).toMatchObject({
    tested: false,
    p: 1,
  });
  expect(welchTest({ n: 3, mean: 5, variance: 0 }, { n: 9, mean: 4, variance: 0 })).toMatchObject({
    tested: false,
    t: 0,
  });
  expect(welchInterval(welchTest({ n: 1, mean: 5, variance: 0 }, { n: 9, mean: 4, variance: 1 }))).toBeNull();
  expect(() => welchTest({ n: 3, mean: 5, variance: -1 }, { n: 9, mean: 4, variance: 0 })).toThrow(RangeError);
});

test('Welch with its arms swapped changes the sign, and its interval ends where the test begins to refute', () => {
  const sample = fc.record({
    n: fc.integer({ min: 2, max: 500 }),
    mean: fc.double({ min: -9, max: 9, noNaN: true }),
    variance: fc.double({ min: 0.01, max: 50, noNaN: true }),
  });
  fc.assert(
    fc.property(sample, sample, (a, b) => {
      const [there, back] = [welchTest(a, b), welchTest(b, a)];
      expect(back.t + there.t).toBe(0);
      expect(back.p).toBe(there.p);
      expect(back.df).toBeCloseTo(there.df, 9);
      expect(there.df).toBeGreaterThanOrEqual(Math.min(a.n, b.n) - 1 - 1e-9);
      const limits = welchInterval(there, 0.9)!;
      const shifted = welchTest({ ...a, mean: a.mean + limits.lower }, b);
      expect(shifted.p).toBeCloseTo(0.1, 8);
    }),
  );
});

test('a margin of 0 is the pooled z-test', () => {
  fc.assert(
    fc.property(arm, arm, (champion, challenger) => {
      const pooled = twoProportionZ(champion, challenger);
      if (!pooled.tested) return;
      expect(Math.abs(marginTest(champion, challenger, 0).z - pooled.z)).toBeLessThan(1e-6 * (1 + Math.abs(pooled.z)));
    }),
  );
});

test('arms swapped and the margin turned, the score test turns with them', () => {
  fc.assert(
    fc.property(arm, arm, fc.double({ min: -0.5, max: 0.5, noNaN: true }), (a, b, margin) => {
      const [there, back] = [marginTest(a, b, margin), marginTest(b, a, -margin)];
      expect(there.p1 - there.p0).toBeCloseTo(margin, 9);
      if (!Number.isFinite(there.z) || there.se < 1e-6) return;
      expect(Math.abs(there.z + back.z)).toBeLessThan(1e-5 * (1 + Math.abs(there.z)));
    }),
  );
  expect(() => marginTest({ n: 0, x: 0 }, { n: 4, x: 1 }, 0)).toThrow(RangeError);
  expect(() => marginTest({ n: 3, x: 0 }, { n: 4, x: 1 }, 1)).toThrow(RangeError);
});

test('a margin that the data meet without any doubt is beyond every bound, one they equal is not', () => {
  expect(marginTest({ n: 5, x: 0 }, { n: 5, x: 0 }, 0)).toMatchObject({ zUnpooled: 0, pUnpooled: 0.5 });
  expect(marginTest({ n: 5, x: 0 }, { n: 5, x: 0 }, -0.1).zUnpooled).toBe(Infinity);
});

test('score limits hold the estimate, turn with the arms and are near those of Newcombe; Wald is centred', () => {
  fc.assert(
    fc.property(arm, arm, (a, b) => {
      const [score, back] = [scoreLimits(a, b, 1.96), scoreLimits(b, a, 1.96)];
      expect(score.lower + back.upper).toBeCloseTo(0, 6);
      const newcombe = newcombeLimits(a, b, 1.96);
      expect(Math.abs(score.upper - newcombe.upper)).toBeLessThan(0.35);
      const wald = waldLimits(a, b, 1.96);
      expect((wald.lower + wald.upper) / 2).toBeCloseTo(b.x / b.n - a.x / a.n, 12);
      expect(score.lower).toBeLessThanOrEqual((wald.lower + wald.upper) / 2 + 1e-12);
      expect(score.upper).toBeGreaterThanOrEqual((wald.lower + wald.upper) / 2 - 1e-12);
    }),
    { numRuns: 60 },
  );
  expect(scoreLimits({ n: 0, x: 0 }, { n: 4, x: 1 }, 2)).toEqual({ lower: -1, upper: 1 });
  expect(waldLimits({ n: 0, x: 0 }, { n: 4, x: 1 }, 2)).toEqual({ lower: -1, upper: 1 });
  expect(scoreLimits({ n: 6, x: 0 }, { n: 6, x: 6 }, 1.96).upper).toBe(1);
});

test('the always-valid p-value is the level at which the always-valid interval touches 0', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 2.5, max: 8, noNaN: true }),
      fc.double({ min: 0.05, max: 50, noNaN: true }),
      (z, kappa) => {
        const p = alwaysValidP(z, kappa);
        if (p >= 0.99) return;
        // V = 1: κ = 1/I₀; the level of the interval is per side.
        expect(alwaysValidHalfWidth(1, 1 / kappa, p / 2)).toBeCloseTo(z, 9);
        expect(alwaysValidP(-z, kappa)).toBe(p);
      },
    ),
  );
  expect(alwaysValidP(0, 3)).toBe(1);
});
