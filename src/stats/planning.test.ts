import fc from 'fast-check';
import { expect, test } from 'vitest';
import { alwaysValidBound, initialInformation } from './always-valid.js';
import { sumArm } from './arm-sums.js';
import { clusteredTest } from './clustered-test.js';
import { evaluationGate } from './evaluation-gate.js';
import { missingRatings } from './missing-ratings.js';
import { fixedMaxInformation, outcomesForInformation, plannedDesignEffect, sampleSize } from './planning.js';

const defaults = { alpha: 0.05, power: 0.8, minEffect: 0.02, targetEffect: 0.05 };
const close = (got: number | undefined | null, expected: number) =>
  expect(Math.abs((got as number) / expected - 1)).toBeLessThan(1e-12);

test('the default policy needs an information of 3139.55', () => {
  close(fixedMaxInformation(defaults), 3139.5518937396355);
});

test('a target close to the least effect needs more than significance does', () => {
  close(fixedMaxInformation({ ...defaults, minEffect: 0.045 }), 28333.052032031752);
});

test('settings that make no rule are refused', () => {
  for (const bad of [
    { targetEffect: 0.02 },
    { minEffect: -0.01 },
    { alpha: 0 },
    { alpha: 1 },
    { power: 0.4 },
    { power: 1 },
    { minEffect: Number.NaN },
  ])
    expect(() => fixedMaxInformation({ ...defaults, ...bad })).toThrow(RangeError);
});

test('the planned outcomes carry the planned information', () => {
  const { champion, challenger } = outcomesForInformation(3139.55, 0.8, 0.1, 1.3);
  const information = 1 / (0.8 * 0.2 * (1.3 / champion + 1.3 / challenger));
  expect(information).toBeGreaterThanOrEqual(3139.55);
  expect(information).toBeLessThan(3139.55 * 1.005);
  expect(champion / challenger).toBeCloseTo(9, 1);
});

test('the sample size of a textbook example is found: 0.85 against 0.70, equal arms, 90 % power', () => {
  // Fleiss, Levin and Paik, without continuity correction.
  const size = sampleSize({ alpha: 0.05, power: 0.9, share: 0.5, p0: 0.7, effect: 0.15 });
  expect(Math.ceil(size.champion)).toBe(161);
  expect(size.challenger).toBeCloseTo(size.champion, 9);
  expect(plannedDesignEffect(3, 0, 0.1)).toBeCloseTo(1.2, 12);
  expect(plannedDesignEffect(1, 0, 0.5)).toBe(1);
});

test('smaller effects, more power and clustered subjects need more', () => {
  const base = { alpha: 0.05, power: 0.8, share: 0.1, p0: 0.8, effect: 0.05 };
  const { champion } = sampleSize(base);
  expect(sampleSize({ ...base, effect: 0.04 }).champion).toBeGreaterThan(champion);
  expect(sampleSize({ ...base, power: 0.9 }).champion).toBeGreaterThan(champion);
  close(sampleSize({ ...base, design: 1.5 }).champion, 1.5 * champion);
  expect(() => sampleSize({ ...base, effect: 0.3 })).toThrow(RangeError);
  expect(() => sampleSize({ ...base, effect: 0 })).toThrow(RangeError);
});

test('the always-valid bound is the formula, checked in 40-digit arithmetic', () => {
  const early = alwaysValidBound(
    { n: 900, x: 810, D: 1 },
    { n: 100, x: 70, D: 1 },
    initialInformation({ p0: 0.9, D0: 1 }, 0.1),
  );
  close(early?.V, 0.002208275984503521);
  close(early?.kappa, 0.45284194865925087);
  close(early?.upper, 0.04099333882285148);
  close(early?.lower, -0.44099333882285147);
  const later = alwaysValidBound(
    { n: 9000, x: 8100, D: 1.4 },
    { n: 1000, x: 640, D: 1.7 },
    initialInformation({ p0: 0.9, D0: 1.5 }, 0.1),
  );
  close(later?.kappa, 3.6968388098981446);
  close(later?.upper, -0.19049606043030626);
  close(later?.lower, -0.32950393956969376);
  expect(alwaysValidBound({ n: 0, x: 0, D: 1 }, { n: 5, x: 1, D: 1 }, 360)).toBeNull();
});

test('I₀ without a usable history is that of a coin, and never infinite', () => {
  close(initialInformation(null, 0.1), 360);
  expect(initialInformation({ p0: 1, D0: 1 }, 0.1)).toBe(initialInformation(null, 0.1));
  expect(initialInformation({ p0: 0, D0: 3 }, 0.1)).toBe(initialInformation(null, 0.1));
  close(initialInformation({ p0: 0.8, D0: 2 }, 0.5), 1 / (0.16 * 2 * 0.02));
  expect(() => initialInformation(null, 0)).toThrow(RangeError);
  expect(() => initialInformation(null, 1)).toThrow(RangeError);
});

/** One interaction a subject: `unrated` of them without an outcome. */
const arm = (n: number, x: number, unrated: number) =>
  sumArm([...Array(n + unrated)].map((_, i) => ({ e: 1, m: i < n ? 1 : 0, x: i < x ? 1 : 0 })));

test('a challenger rated less often gets the missing ratings as negatives', () => {
  const result = missingRatings(arm(150, 120, 850), arm(90, 81, 910));
  expect(result.imbalanced).toBe(true);
  expect(result.z).toBeCloseTo(-0.06 / Math.sqrt(0.12 * 0.88 * 0.002), 12);
  expect(result).toMatchObject({ rChampion: 0.15, rChallenger: 0.09 });
  expect(result.deltaImputed).toBeCloseTo(81 / 150 - 0.8, 12);
});

test('against a challenger rated more often the champion gets positives', () => {
  const result = missingRatings(arm(90, 72, 910), arm(150, 135, 850));
  expect(result.imbalanced).toBe(true);
  expect(result.deltaImputed).toBeCloseTo(0.9 - 132 / 150, 12);
});

test('arms rated alike keep their difference, and nothing rated has none', () => {
  const even = missingRatings(arm(150, 120, 850), arm(148, 130, 852));
  expect(even).toMatchObject({
    imbalanced: false,
    deltaImputed: clusteredTest(arm(150, 120, 0), arm(148, 130, 0)).delta,
  });
  expect(missingRatings(arm(0, 0, 5), arm(3, 1, 2)).deltaImputed).toBeNull();
  expect(missingRatings(arm(0, 0, 0), arm(3, 1, 2))).toMatchObject({ rChampion: null, imbalanced: false });
});

test('a difference of rates that is significant at 5 % but not at 1 % changes nothing', () => {
  const result = missingRatings(arm(150, 120, 850), arm(117, 95, 883));
  expect(result.z).toBeCloseTo(-0.033 / Math.sqrt(0.1335 * 0.8665 * 0.002), 12);
  expect(Math.abs(result.z)).toBeGreaterThan(1.96);
  expect(result.imbalanced).toBe(false);
});

test('rating rates are tested on subjects, those who never rate included', () => {
  // Champion: r = 6/16, V = 4/3 · (3 · (2 − 1.5)² + 1.5²)/16²; challenger: r = 3/16, V = 4/3 · (0.25² · 3 + 0.75²)/16².
  const champion = sumArm([2, 2, 2, 0].map((m) => ({ e: 4, m, x: 0 })));
  const challenger = sumArm([1, 1, 1, 0].map((m) => ({ e: 4, m, x: 0 })));
  const pooled = 9 / 32;
  const design = ((4 / 3) * 3) / 256 / ((0.375 * 0.625) / 16);
  const variance = pooled * (1 - pooled) * (Math.max(1, design) / 16 + 1 / 16);
  expect(design).toBeGreaterThan(1);
  expect(missingRatings(champion, challenger).z).toBeCloseTo(-0.1875 / Math.sqrt(variance), 12);
});

test('imputation never helps the challenger', () => {
  const side = fc.record({ n: fc.integer({ min: 1, max: 200 }), x: fc.nat(200), unrated: fc.nat(800) });
  fc.assert(
    fc.property(side, side, (a, b) => {
      const champion = arm(a.n, Math.min(a.x, a.n), a.unrated);
      const challenger = arm(b.n, Math.min(b.x, b.n), b.unrated);
      const delta = challenger.x / challenger.n - champion.x / champion.n;
      expect(missingRatings(champion, challenger).deltaImputed as number).toBeLessThanOrEqual(delta + 1e-12);
    }),
    { numRuns: 60 },
  );
});

test('the evaluation gate follows its formula', () => {
  const gate = evaluationGate({ n: 400, b: 60, c: 40 }, 0.02);
  expect(gate).toMatchObject({ enough: true, passed: true, d: 0.05 });
  close(gate.se, 0.0248746859276655);
  close(gate.lower, 0.009081141648990255);
  expect(evaluationGate({ n: 400, b: 40, c: 60 }, 0.02).passed).toBe(false);
  expect(evaluationGate({ n: 400, b: 0, c: 0 }, 0.02)).toMatchObject({ passed: true, d: 0, se: 0 });
});

test('fewer than 200 golden rows are refused, however good, and impossible scores are an error', () => {
  expect(evaluationGate({ n: 199, b: 199, c: 0 }, 0.02)).toMatchObject({ enough: false, passed: false });
  expect(evaluationGate({ n: 200, b: 200, c: 0 }, 0.02)).toMatchObject({ enough: true, passed: true });
  expect(evaluationGate({ n: 0, b: 0, c: 0 }, 0.02)).toMatchObject({ enough: false, passed: false });
  expect(() => evaluationGate({ n: 10, b: 6, c: 5 }, 0.02)).toThrow(RangeError);
  expect(() => evaluationGate({ n: 10, b: -1, c: 5 }, 0.02)).toThrow(RangeError);
});
