import fc from 'fast-check';
import { expect, test } from 'vitest';
import { groupSequentialBoundaries, nextBoundary, type TestedLook } from './boundaries.js';
import { crossingProbabilities, driftForPower } from './crossing.js';
import { fastMills } from './fast-tail.js';
import { normalDensity, normalIsf, normalSf } from './normal.js';
import { drawNormal, seededRandom } from './random.js';
import { alphaSpentAt } from './spending.js';

const FIFTHS = [0.2, 0.4, 0.6, 0.8, 1];
/** The looks of the default policy. */
const PLAN = [0.4, 0.6, 0.8, 1];

const fractions = fc
  .uniqueArray(fc.integer({ min: 3, max: 99 }), { minLength: 1, maxLength: 6 })
  .map((percent) => [...percent.sort((a, b) => a - b).map((p) => p / 100), 1]);
const spending = fc.constantFrom('obrien_fleming' as const, 'pocock' as const);

test.each([
  // Lan and DeMets (1983); five equal looks, two-sided 0.05, as printed by ld98 and in Jennison and Turnbull.
  ['obrien_fleming' as const, [4.8769, 3.3569, 2.6803, 2.2898, 2.031]],
  ['pocock' as const, [2.438, 2.4268, 2.4101, 2.3966, 2.3859]],
])('%s-type spending gives the published boundaries of five looks', (type, published) => {
  const { c } = groupSequentialBoundaries({ information: FIFTHS, alpha1: 0.025, spending: type, symmetric: true });
  // The last Pocock figure is printed 1e-4 low; 2.38598 by two independent quadratures.
  c.forEach((bound, k) => {
    expect(Math.abs(bound - published[k]!)).toBeLessThan(1.5e-4);
  });
});

test('the boundaries of a daily test over two weeks are right to eleven digits', () => {
  // Two quadratures and a Monte-Carlo run elsewhere agree on these.
  const information = Array.from({ length: 13 }, (_, day) => (day + 2) / 14);
  const { c } = groupSequentialBoundaries({ information, alpha1: 0.025, symmetric: true });
  [5.815327419880484, 4.702601212961608, 4.037217104967417].forEach((bound, k) => {
    expect(Math.abs(c[k]! - bound)).toBeLessThan(1e-11);
  });
  expect(Math.abs(c[12]! - 2.1026035041216358)).toBeLessThan(1e-11);
});

test('spending is per side: a two-sided 0.05 has z of .9875 in the function, not z of .975', () => {
  expect(alphaSpentAt(0.5, 0.025)).toBeCloseTo(2 * normalSf(normalIsf(0.0125) / Math.SQRT1_2), 16);
  expect(alphaSpentAt(0.5, 0.025, 'pocock')).toBeCloseTo(0.025 * Math.log(1 + (Math.E - 1) / 2), 16);
  expect([alphaSpentAt(0, 0.025), alphaSpentAt(1, 0.025), alphaSpentAt(1.3, 0.025)]).toEqual([0, 0.025, 0.025]);
  expect(() => alphaSpentAt(-0.1, 0.025)).toThrow(RangeError);
  expect(() => alphaSpentAt(NaN, 0.025)).toThrow(RangeError);
  expect(() => alphaSpentAt(0.5, 0)).toThrow(RangeError);
});

test('one look is the fixed test, also when it comes early and is the last', () => {
  for (const information of [1, 0.4, 1.3])
    expect(groupSequentialBoundaries({ information: [information], alpha1: 0.025 }).c[0]).toBeCloseTo(
      normalIsf(0.025),
      13,
    );
  expect(nextBoundary({ past: [], information: 700, alpha: 0.025 })).toBeCloseTo(normalIsf(0.025), 13);
});

test('an under-run spends what is left at the last look; an over-run ends at it and leaves nothing', () => {
  const under = groupSequentialBoundaries({ information: [0.25, 0.5, 0.8], alpha1: 0.025 });
  expect(Math.abs(under.c[2]! - 1.9645742070374865)).toBeLessThan(1e-9);
  const forgotten = groupSequentialBoundaries({ information: [0.25, 0.5, 0.8], alpha1: 0.025, last: false });
  expect(forgotten.c[2]).toBeGreaterThan(2.26);
  const over = groupSequentialBoundaries({ information: [0.4, 0.8, 1.05, 1.3], alpha1: 0.025 });
  expect(Math.abs(over.c[2]! - 2.039466806365908)).toBeLessThan(1e-9);
  expect(over.c[3]).toBe(Infinity);
});

test('a look that would need more than 8 sigma cannot stop, and changes nothing after it', () => {
  const early = groupSequentialBoundaries({ information: [0.002, 0.5, 1], alpha1: 0.025 });
  expect(early.c[0]).toBe(Infinity);
  const without = groupSequentialBoundaries({ information: [0.5, 1], alpha1: 0.025 });
  expect(Math.abs(early.c[1]! - without.c[0]!)).toBeLessThan(1e-9);
  expect(Math.abs(early.c[2]! - without.c[1]!)).toBeLessThan(1e-9);
  expect(nextBoundary({ past: [], information: 1, alpha: 0 })).toBe(Infinity);
});

test('look by look, from what was used before, comes to the same as all at once', () => {
  fc.assert(
    fc.property(fractions, spending, fc.boolean(), (information, type, symmetric) => {
      const whole = groupSequentialBoundaries({ information, alpha1: 0.025, spending: type, symmetric });
      const past: TestedLook[] = [];
      information.forEach((I, k) => {
        const alpha = whole.spent[k]! - (whole.spent[k - 1] ?? 0);
        // Any unit of information: here interactions, there fractions.
        const c = nextBoundary({ past, information: I * 3217.16, alpha, symmetric });
        if (whole.c[k] === Infinity) expect(c).toBe(Infinity);
        else expect(Math.abs(c - whole.c[k]!)).toBeLessThan(1e-8);
        past.push({ information: I * 3217.16, c });
      });
    }),
    { numRuns: 40 },
  );
});

test('what crosses under no difference is what was spent, look by look', () => {
  fc.assert(
    fc.property(fractions, spending, fc.boolean(), (information, type, symmetric) => {
      const { c, spent } = groupSequentialBoundaries({ information, alpha1: 0.025, spending: type, symmetric });
      const looks = c.map((upper, k) => ({
        information: information[k]!,
        upper,
        lower: symmetric ? -upper : -Infinity,
      }));
      const { upper, lower } = crossingProbabilities(looks, 0);
      upper.forEach((crossed, k) => {
        const step = spent[k]! - (spent[k - 1] ?? 0);
        expect(Math.abs(crossed - step)).toBeLessThan(1e-10);
        expect(Math.abs(lower[k]! - (symmetric ? step : 0))).toBeLessThan(1e-10);
      });
    }),
    { numRuns: 40 },
  );
});

test('an effect of the other sign crosses the other boundary', () => {
  fc.assert(
    fc.property(fractions, fc.double({ min: -5, max: 5, noNaN: true }), (information, drift) => {
      const { c } = groupSequentialBoundaries({ information, alpha1: 0.025, symmetric: true });
      const looks = c.map((upper, k) => ({ information: information[k]!, upper, lower: -upper }));
      const [there, back] = [crossingProbabilities(looks, drift), crossingProbabilities(looks, -drift)];
      expect(Math.abs(there.everUpper - back.everLower)).toBeLessThan(1e-11);
      expect(Math.abs(there.expectedInformation - back.expectedInformation)).toBeLessThan(1e-10);
      expect(there.everUpper + there.everLower).toBeLessThanOrEqual(1 + 1e-12);
    }),
    { numRuns: 30 },
  );
});

test('the effect planned for a power has that power', () => {
  const { c } = groupSequentialBoundaries({ information: PLAN, alpha1: 0.025 });
  const looks = c.map((upper, k) => ({ information: PLAN[k]!, upper }));
  const drift = driftForPower(looks, 0.9);
  expect(crossingProbabilities(looks, drift).everUpper).toBeCloseTo(0.9, 9);
  expect(drift).toBeGreaterThan(normalIsf(0.025) + normalIsf(0.1));
});

test('looks close together keep their digits', () => {
  // Against the same recursion on the Z scale with trapezoids of 1/200 (other program): 3.928572542626, 3.915516.
  const { c } = groupSequentialBoundaries({ information: [0.3, 0.31, 1], alpha1: 0.025 });
  expect(Math.abs(c[0]! - 3.928572542626036)).toBeLessThan(1e-10);
  const looks = [0.5, 0.505, 0.51, 0.52, 1];
  const close = groupSequentialBoundaries({ information: looks, alpha1: 0.025 });
  const { everUpper } = crossingProbabilities(
    close.c.map((upper, k) => ({ information: looks[k]!, upper })),
    0,
  );
  expect(Math.abs(everUpper - 0.025)).toBeLessThan(1e-11);
});

test('60,000 simulated experiments without a difference cross as often as alpha was spent', () => {
  const { c, spent } = groupSequentialBoundaries({ information: PLAN, alpha1: 0.025 });
  const random = seededRandom(20_261_121);
  const runs = 60_000;
  const crossed = [0, 0, 0, 0];
  for (let run = 0; run < runs; run++) {
    let score = 0;
    for (const [k, information] of PLAN.entries()) {
      score += drawNormal(random) * Math.sqrt(information - (PLAN[k - 1] ?? 0));
      if (score / Math.sqrt(information) < c[k]!) continue;
      crossed[k]! += 1;
      break;
    }
  }
  let total = 0;
  crossed.forEach((count, k) => {
    total += count;
    const sigma = Math.sqrt((spent[k]! * (1 - spent[k]!)) / runs);
    expect(Math.abs(total / runs - spent[k]!)).toBeLessThan(4 * sigma);
  });
});

test('information that does not rise, and no looks at all, are refused', () => {
  expect(() => groupSequentialBoundaries({ information: [0.5, 0.5], alpha1: 0.025 })).toThrow(RangeError);
  expect(() => groupSequentialBoundaries({ information: [], alpha1: 0.025 })).toThrow(RangeError);
  expect(() => groupSequentialBoundaries({ information: [0.5, 1], tau: [1], alpha1: 0.025 })).toThrow(RangeError);
  expect(() => nextBoundary({ past: [{ information: 5, c: 3 }], information: 5, alpha: 0.01 })).toThrow(RangeError);
  expect(() => nextBoundary({ past: [{ information: 5, c: NaN }], information: 6, alpha: 0.01 })).toThrow(RangeError);
  expect(() => crossingProbabilities([{ information: 0, upper: 2 }], 0)).toThrow(RangeError);
});

test('the quick tail of the grids is the accurate one', () => {
  for (let z = 0; z < 36; z += 0.0173)
    expect(Math.abs((fastMills(z) * normalDensity(z)) / normalSf(z) - 1)).toBeLessThan(2e-14);
});
