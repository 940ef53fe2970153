import fc from 'fast-check';
import { expect, test } from 'vitest';
import { newcombeLimits, wilsonLimits } from './score-limits.js';
import { differenceOfProportions, type Proportion, twoProportionZ } from './two-proportions.js';

const arm = fc
  .integer({ min: 1, max: 100_000 })
  .chain((n) => fc.record({ n: fc.constant(n), x: fc.integer({ min: 0, max: n }) }));

test.each([
  [{ n: 10_000, x: 1100 }, { n: 10_000, x: 1000 }, -2.30663477382, 0.0210751892738],
  [{ n: 25, x: 10 }, { n: 25, x: 15 }, Math.SQRT2, 0.15729920705],
])('champion %o against challenger %o gives the published z and p', (champion, challenger, z, p) => {
  const result = twoProportionZ(champion, challenger);
  expect(result.tested).toBe(true);
  expect(Math.abs(result.z - z)).toBeLessThan(1e-11);
  expect(Math.abs(result.p - p)).toBeLessThan(1e-12);
});

test.each<[string, Proportion, Proportion]>([
  ['no successes at all', { n: 10, x: 0 }, { n: 20, x: 0 }],
  ['nothing but successes', { n: 10, x: 10 }, { n: 20, x: 20 }],
  ['an empty champion', { n: 0, x: 0 }, { n: 20, x: 7 }],
  ['an empty challenger', { n: 20, x: 7 }, { n: 0, x: 0 }],
  ['nothing', { n: 0, x: 0 }, { n: 0, x: 0 }],
])('%s is not tested: z is 0 and p is 1', (_, champion, challenger) => {
  expect(twoProportionZ(champion, challenger)).toMatchObject({ tested: false, delta: 0, z: 0, p: 1 });
});

test('one arm all, the other none is tested', () => {
  expect(twoProportionZ({ n: 10, x: 0 }, { n: 10, x: 10 })).toMatchObject({ tested: true, delta: 1 });
});

test('counts that cannot be are refused', () => {
  const good = { n: 10, x: 1 };
  for (const bad of [
    { n: 10, x: 11 },
    { n: 10, x: -1 },
    { n: 1.5, x: 1 },
    { n: NaN, x: 0 },
  ]) {
    expect(() => twoProportionZ(bad, good)).toThrow(RangeError);
    expect(() => twoProportionZ(good, bad)).toThrow(RangeError);
  }
});

test('swapping the arms negates z and keeps p, which is a probability', () => {
  fc.assert(
    fc.property(arm, arm, (a, b) => {
      const there = twoProportionZ(a, b);
      const back = twoProportionZ(b, a);
      expect(back.z + there.z).toBe(0);
      expect(back.p).toBe(there.p);
      expect(there.p).toBeGreaterThanOrEqual(0);
      expect(there.p).toBeLessThanOrEqual(1);
      expect(Math.sign(there.z)).toBe(Math.sign(there.delta));
    }),
  );
});

test('z grows with the successes of the challenger', () => {
  fc.assert(
    fc.property(arm, arm, (a, b) => {
      fc.pre(b.x < b.n && a.x < a.n && a.x > 0);
      expect(twoProportionZ(a, { n: b.n, x: b.x + 1 }).z).toBeGreaterThan(twoProportionZ(a, b).z);
    }),
  );
});

test('a difference of exactly two points is two points, which subtracting quotients misses', () => {
  expect(0.82 - 0.8).toBeLessThan(0.02);
  expect(differenceOfProportions({ n: 1000, x: 800 }, { n: 500, x: 410 })).toBe(0.02);
});

test("Newcombe's own examples of 1998 come out as printed", () => {
  const z = 1.959963984540054;
  const one = wilsonLimits({ n: 263, x: 81 }, z);
  expect([one.lower.toFixed(4), one.upper.toFixed(4)]).toEqual(['0.2553', '0.3662']);
  const two = newcombeLimits({ n: 80, x: 48 }, { n: 70, x: 56 }, z);
  expect([two.lower.toFixed(4), two.upper.toFixed(4)]).toEqual(['0.0524', '0.3339']);
  const none = newcombeLimits({ n: 10, x: 0 }, { n: 10, x: 10 }, z);
  expect([none.lower.toFixed(4), none.upper.toFixed(4)]).toEqual(['0.6075', '1.0000']);
});

test('a limit alone is the one-sided one: Wilson inverts the score test', () => {
  const { lower, upper } = wilsonLimits({ n: 120, x: 7 }, 1.6448536269514722);
  for (const limit of [lower, upper])
    expect(Math.abs(7 / 120 - limit) / Math.sqrt((limit * (1 - limit)) / 120)).toBeCloseTo(1.6448536269514722, 10);
});

test('limits contain the estimate, tighten with fewer sigmas, and know nothing without trials', () => {
  fc.assert(
    fc.property(arm, arm, (a, b) => {
      const delta = differenceOfProportions(a, b);
      const wide = newcombeLimits(a, b, 1.96);
      const narrow = newcombeLimits(a, b, 1.645);
      expect(wide.lower).toBeLessThanOrEqual(narrow.lower);
      expect(narrow.lower).toBeLessThanOrEqual(delta);
      expect(delta).toBeLessThanOrEqual(narrow.upper);
      expect(narrow.upper).toBeLessThanOrEqual(wide.upper);
      const own = wilsonLimits(a, 1.96);
      expect(own.lower).toBeLessThanOrEqual(a.x / a.n);
      expect(own.upper).toBeGreaterThanOrEqual(a.x / a.n);
    }),
  );
  expect(wilsonLimits({ n: 0, x: 0 }, 1.96)).toEqual({ lower: 0, upper: 1 });
  expect(newcombeLimits({ n: 0, x: 0 }, { n: 9, x: 3 }, 1.96)).toEqual({ lower: -1, upper: 1 });
  expect(wilsonLimits({ n: 10, x: 0 }, 1.96).lower).toBe(0);
  expect(wilsonLimits({ n: 10, x: 10 }, 1.96).upper).toBe(1);
});
