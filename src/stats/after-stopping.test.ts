import fc from 'fast-check';
import { expect, test } from 'vitest';
import { repeatedInterval, stagewiseEstimate, stagewiseTail } from './after-stopping.js';
import { groupSequentialBoundaries } from './boundaries.js';
import { normalIsf, normalSf } from './normal.js';
import { drawNormal, seededRandom } from './random.js';

const PLAN = [0.4, 0.6, 0.8, 1].map((t) => t * 3217.16);
const { c } = groupSequentialBoundaries({ information: PLAN, tau: [0.4, 0.6, 0.8, 1], alpha1: 0.025 });
const looks = PLAN.map((information, k) => ({ information, upper: c[k]! }));

test('a test with one look gives what everybody gives', () => {
  const { p, median, interval, measured } = stagewiseEstimate({ past: [], final: { information: 2500, z: 2.2 } });
  expect(p).toBeCloseTo(normalSf(2.2), 15);
  expect(median).toBeCloseTo(2.2 / 50, 11);
  expect(measured).toBeCloseTo(2.2 / 50, 14);
  expect(interval.lower).toBeCloseTo((2.2 - normalIsf(0.025)) / 50, 11);
  expect(interval.upper).toBeCloseTo((2.2 + normalIsf(0.025)) / 50, 11);
});

test('after three looks it is what the distribution function of three normal variables says', () => {
  const { p, median, interval } = stagewiseEstimate({
    past: [
      { information: 1286, upper: 3.357 },
      { information: 1930, upper: 2.68 },
    ],
    final: { information: 2573, z: 2.5 },
  });
  // SciPy 1.17, multivariate_normal.cdf: P = 1 − P(Z1 < 3.357, Z2 < 2.68, Z3 < 2.5), solved for the effect.
  expect(p).toBeCloseTo(0.0079559, 6);
  expect(median).toBeCloseTo(0.0483947, 6);
  expect(interval.lower).toBeCloseTo(0.0091361, 6);
  expect(interval.upper).toBeCloseTo(0.0873152, 6);
});

test('on the boundary the p-value is the alpha spent so far', () => {
  const { spent } = groupSequentialBoundaries({ information: PLAN, tau: [0.4, 0.6, 0.8, 1], alpha1: 0.025 });
  looks.forEach(({ information, upper }, k) => {
    const p = stagewiseTail({ past: looks.slice(0, k), final: { information, z: upper } }, 0);
    expect(p).toBeCloseTo(spent[k]!, 11);
  });
});

test('the estimate of an early stop is smaller than what was measured, and inside its interval', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3 }), fc.double({ min: 0, max: 2, noNaN: true }), (k, over) => {
      const { information, upper } = looks[k]!;
      const { median, measured, interval } = stagewiseEstimate({
        past: looks.slice(0, k),
        final: { information, z: upper + over },
      });
      expect(median).toBeLessThanOrEqual(measured + 1e-12);
      expect(interval.lower).toBeLessThan(median);
      expect(interval.upper).toBeGreaterThan(median);
      // It crossed: the interval is above 0, as the test was.
      expect(interval.lower).toBeGreaterThan(-1e-9);
    }),
    { numRuns: 25 },
  );
});

test('arms swapped in a two-sided test: everything changes its sign', () => {
  const both = PLAN.map((information) => ({ information, upper: 2.9, lower: -2.9 }));
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 3 }), fc.double({ min: -4, max: 4, noNaN: true }), (k, z) => {
      const past = both.slice(0, k);
      const information = PLAN[k]!;
      const there = stagewiseEstimate({ past, final: { information, z, lower: -2.9 } });
      const back = stagewiseEstimate({ past, final: { information, z: -z, lower: -2.9 } });
      expect(Math.abs(there.median + back.median)).toBeLessThan(1e-8);
      expect(Math.abs(there.interval.lower + back.interval.upper)).toBeLessThan(1e-8);
    }),
    { numRuns: 25 },
  );
});

test('of 3,000 simulated experiments half are estimated too high, half too low, and 95 % are covered', () => {
  const random = seededRandom(7);
  const effect = 0.05;
  const runs = 3000;
  let [above, covered, measuredAbove] = [0, 0, 0];
  for (let run = 0; run < runs; run++) {
    let score = 0;
    for (const [k, { information, upper }] of looks.entries()) {
      const step = information - (PLAN[k - 1] ?? 0);
      score += effect * step + drawNormal(random) * Math.sqrt(step);
      const z = score / Math.sqrt(information);
      if (z < upper && k < 3) continue;
      // The estimate is above the truth exactly when this chance, taken at the truth, is below one half.
      const chance = stagewiseTail({ past: looks.slice(0, k), final: { information, z } }, effect);
      if (chance < 0.5) above += 1;
      if (chance > 0.025 && chance < 0.975) covered += 1;
      if (z / Math.sqrt(information) > effect) measuredAbove += 1;
      break;
    }
  }
  expect(Math.abs(above / runs - 0.5)).toBeLessThan(4 * Math.sqrt(0.25 / runs));
  expect(Math.abs(covered / runs - 0.95)).toBeLessThan(4 * Math.sqrt(0.0475 / runs));
  // What this is for: as measured, more than half are too high.
  expect(measuredAbove / runs).toBeGreaterThan(0.54);
});

test('the repeated interval uses the boundary of its look, and knows nothing where there is none', () => {
  expect(repeatedInterval(0.05, 0.01, 2.5)).toEqual({ lower: 0.025, upper: 0.07500000000000001 });
  expect(repeatedInterval(0.05, 0.01, Infinity)).toBeNull();
  expect(() => repeatedInterval(NaN, 0.01, 2)).toThrow(RangeError);
});

test('looks out of order and levels outside 0 to 1 are refused', () => {
  expect(() => stagewiseTail({ past: looks.slice(0, 2), final: { information: 1000, z: 2 } }, 0)).toThrow(RangeError);
  expect(() => stagewiseTail({ past: [], final: { information: 0, z: 2 } }, 0)).toThrow(RangeError);
  expect(() => stagewiseEstimate({ past: [], final: { information: 1, z: 2 } }, 1)).toThrow(RangeError);
});
