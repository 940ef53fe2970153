import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bootstrap } from './bootstrap.js';
import { exactKsP, kolmogorovSmirnov, limitKsP, stephensKsP } from './kolmogorov-smirnov.js';
import { countInBins, populationStability, psiUnderNull } from './psi.js';
import { drawBeta, drawGamma, drawNormal, seededRandom } from './random.js';
import { bestArmProbabilities, posteriorOf, thompsonDraw } from './thompson.js';

const meanOf = (list: readonly number[]) => list.reduce((sum, v) => sum + v, 0) / list.length;

function difference(champion: readonly number[], challenger: readonly number[]) {
  const variance = (list: readonly number[]) =>
    list.reduce((sum, v) => sum + (v - meanOf(list)) ** 2, 0) / (list.length - 1) / list.length;
  return { value: meanOf(challenger) - meanOf(champion), se: Math.sqrt(variance(champion) + variance(challenger)) };
}

test('the bootstrap of a difference of means agrees with the formula, and repeats with its seed', () => {
  const random = seededRandom(3);
  const champion = Array.from({ length: 200 }, () => drawNormal(random));
  const challenger = Array.from({ length: 120 }, () => 0.3 + 1.5 * drawNormal(random));
  const run = () =>
    bootstrap({ champion, challenger, estimate: difference, replicates: 1500, random: seededRandom(9) });
  const result = run();
  const { value, se } = difference(champion, challenger);
  expect(result.value).toBe(value);
  expect(Math.abs(result.se / se - 1)).toBeLessThan(0.07);
  expect(Math.abs(result.bias)).toBeLessThan(0.15 * se);
  for (const { lower, upper } of [result.percentile, result.bca, result.studentised!]) {
    expect(Math.abs((value - lower) / (1.96 * se) - 1)).toBeLessThan(0.15);
    expect(Math.abs((upper - value) / (1.96 * se) - 1)).toBeLessThan(0.15);
  }
  expect(run()).toEqual(result);
});

test('BCa moves with the skewness that percentiles miss', () => {
  // Exponential values: the interval of a mean reaches further up than down.
  const random = seededRandom(21);
  const challenger = Array.from({ length: 40 }, () => -Math.log(1 - random()));
  const champion = Array.from({ length: 20 }, () => 0);
  const { value, percentile, bca } = bootstrap({ champion, challenger, estimate: difference, random });
  expect(bca.upper - value).toBeGreaterThan(percentile.upper - value);
  expect(bca.upper - value).toBeGreaterThan(value - bca.lower);
});

test('the bootstrap refuses what it cannot do', () => {
  const estimate = difference;
  const random = seededRandom(1);
  expect(() => bootstrap({ champion: [1], challenger: [1, 2], estimate, random })).toThrow(RangeError);
  expect(() => bootstrap({ champion: [1, 2], challenger: [1, 2], estimate: () => ({ value: NaN }), random })).toThrow(
    RangeError,
  );
  expect(() => bootstrap({ champion: [1, 2], challenger: [1, 2], estimate, random, replicates: 5 })).toThrow(
    RangeError,
  );
  expect(
    bootstrap({ champion: [1, 2], challenger: [1, 2], estimate: (c, t) => ({ value: difference(c, t).value }), random })
      .studentised,
  ).toBeNull();
});

// SciPy 1.17: adaptive quadrature of its beta densities and distribution functions.
test.each([
  [
    [
      [401, 101],
      [80, 21],
    ],
    [0.5470432957845847, 0.4529567042154147],
  ],
  [
    [
      [2, 1],
      [1, 1],
    ],
    [2 / 3, 1 / 3],
  ],
  [
    [
      [3, 5],
      [4, 4],
      [10, 9],
    ],
    [0.1386012995338638, 0.39921493666043295, 0.46218376380570325],
  ],
  [
    [
      [81, 21],
      [86, 16],
      [70, 30],
      [2, 2],
    ],
    [0.1646865394885767, 0.7688546762835109, 0.0024697007833020274, 0.0639890834446115],
  ],
  [
    [
      [8001, 2001],
      [921, 201],
    ],
    [0.04460354744775624, 0.9553964525522436],
  ],
])('which of the arms %j is best', (arms, expected) => {
  const got = bestArmProbabilities(arms.map(([a, b]) => ({ a: a!, b: b! })));
  got.forEach((p, i) => {
    expect(Math.abs(p - expected[i]!)).toBeLessThan(1e-9);
  });
});

test('the chances of being best sum to 1 and change places with the arms', () => {
  const posterior = fc.record({
    a: fc.integer({ min: 1, max: 50_000 }).map((twice) => twice / 2),
    b: fc.integer({ min: 1, max: 50_000 }).map((twice) => twice / 2),
  });
  fc.assert(
    fc.property(fc.array(posterior, { minLength: 1, maxLength: 4 }), (arms) => {
      const chances = bestArmProbabilities(arms);
      expect(chances.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 8);
      const turned = bestArmProbabilities([...arms].reverse()).reverse();
      chances.forEach((p, i) => {
        expect(Math.abs(p - turned[i]!)).toBeLessThan(1e-10);
      });
    }),
    { numRuns: 40 },
  );
  expect(() => bestArmProbabilities([])).toThrow(RangeError);
  expect(() => thompsonDraw([], Math.random)).toThrow(RangeError);
});

test('drawing sends each arm its chance of being best', () => {
  const arms = [posteriorOf({ n: 100, x: 80 }), posteriorOf({ n: 20, x: 17 })];
  expect(arms[0]).toEqual({ a: 81, b: 21 });
  const random = seededRandom(5);
  let second = 0;
  for (let i = 0; i < 20_000; i++) second += thompsonDraw(arms, random);
  const expected = bestArmProbabilities(arms)[1]!;
  expect(Math.abs(second / 20_000 - expected)).toBeLessThan(4 * Math.sqrt((expected * (1 - expected)) / 20_000));
  expect(() => posteriorOf({ n: 3, x: 4 })).toThrow(RangeError);
});

test('drawn numbers have the mean and spread of their distributions', () => {
  const random = seededRandom(17);
  const draws = (draw: () => number) => {
    const list = Array.from({ length: 20_000 }, draw);
    const mean = meanOf(list);
    return { mean, variance: list.reduce((sum, v) => sum + (v - mean) ** 2, 0) / list.length };
  };
  for (const shape of [0.4, 1, 7.5]) {
    const { mean, variance } = draws(() => drawGamma(random, shape));
    expect(Math.abs(mean / shape - 1)).toBeLessThan(0.05);
    expect(Math.abs(variance / shape - 1)).toBeLessThan(0.12);
  }
  const { mean, variance } = draws(() => drawBeta(random, 8, 2));
  expect(mean).toBeCloseTo(0.8, 2);
  expect(variance).toBeCloseTo(0.16 / 11, 2);
  const first = seededRandom(5);
  expect([first(), first(), first()]).toEqual([0.6897749109193683, 0.7727432732935995, 0.21976301027461886]);
  expect(() => drawGamma(random, 0)).toThrow(RangeError);
});

// SciPy 1.17, exact two-sample distribution.
test.each([
  [3, 4, 12, 0.05714285714285715],
  [10, 10, 50, 0.16782134274394334],
  [50, 60, 1080, 0.0011960763549388354],
  [7, 11, 77, 6.28456510809452e-5],
  [200, 300, 9000, 0.008336939675395796],
  [1000, 37, 9000, 0.024121186012164095],
])('Kolmogorov and Smirnov, exactly: %d and %d values with D·n·m = %d', (n, m, numerator, p) => {
  expect(Math.abs(exactKsP(numerator, n, m) / p - 1)).toBeLessThan(1e-11);
  expect(Math.abs(exactKsP(numerator, m, n) / p - 1)).toBeLessThan(1e-11);
});

test('equal values are passed together, samples change places, and one value against one says nothing', () => {
  expect(kolmogorovSmirnov([1, 1, 1], [1, 1, 1])).toMatchObject({ D: 0, p: 1 });
  expect(kolmogorovSmirnov([1, 1, 2], [1, 2, 2])).toMatchObject({ numerator: 3 });
  expect(kolmogorovSmirnov([1], [2])).toMatchObject({ D: 1, p: 1 });
  const values = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(values, values, (a, b) => {
      const [there, back] = [kolmogorovSmirnov(a, b), kolmogorovSmirnov(b, a)];
      expect(back.D).toBe(there.D);
      expect(back.p).toBeCloseTo(there.p, 12);
    }),
  );
  expect(() => kolmogorovSmirnov([], [1])).toThrow(RangeError);
  expect(() => kolmogorovSmirnov([NaN], [1])).toThrow(RangeError);
});

test('for large samples the approximations meet the exact value', () => {
  const exact = exactKsP(9000 * 4, 400, 600);
  expect(Math.abs(stephensKsP((9000 * 4) / 240_000, 400, 600) / exact - 1)).toBeLessThan(0.1);
  expect(limitKsP(0, 10, 10)).toBe(1);
  // The two series of the limit meet.
  const unit = Math.sqrt(2);
  expect(limitKsP((1.18 - 1e-12) * unit, 1, 1)).toBeCloseTo(limitKsP((1.18 + 1e-12) * unit, 1, 1), 10);
});

test('bins are closed on the left, the outer ones open', () => {
  expect(countInBins([-9, 0.1, 0.5, 0.4999, 2, 99], [0.1, 0.5, 2])).toEqual([1, 2, 1, 2]);
  expect(countInBins([], [0])).toEqual([0, 0]);
  expect(() => countInBins([1], [2, 2])).toThrow(RangeError);
  expect(() => countInBins([NaN], [2])).toThrow(RangeError);
});

test('half a count in every bin keeps the index of chance within its bound, a floor of 1e-4 does not', () => {
  const random = seededRandom(2);
  const draw = () =>
    countInBins(
      Array.from({ length: 100 }, random),
      [...Array(19)].map((_, i) => (i + 1) / 20),
    );
  const { mean, critical, p } = psiUnderNull(20, 100, 100);
  const bound = critical(0.05);
  let [half, floor] = [0, 0];
  for (let i = 0; i < 1500; i++) {
    const [e, a] = [draw(), draw()];
    if (populationStability(e, a)! > bound) half += 1;
    if (populationStability(e, a, 'floor')! > bound) floor += 1;
  }
  expect(half / 1500).toBeLessThan(0.06);
  expect(floor / 1500).toBeGreaterThan(0.15);
  expect(mean).toBeCloseTo(0.38, 12);
  expect(p(bound)).toBeCloseTo(0.05, 10);
  expect(() => psiUnderNull(1, 5, 5)).toThrow(RangeError);
});

test('the index is 0 for equal shares, the same both ways, and unknown with an empty bin unless smoothed', () => {
  expect(populationStability([10, 20], [10, 20])).toBe(0);
  expect(populationStability([10, 20], [20, 10])).toBeCloseTo(populationStability([20, 10], [10, 20])!, 14);
  expect(populationStability([0, 20], [20, 10], 'none')).toBeNull();
  expect(populationStability([0, 20], [20, 10])).toBeGreaterThan(0);
  expect(() => populationStability([1, 2], [1, 2, 3])).toThrow(RangeError);
  expect(() => populationStability([0, 0], [1, 2])).toThrow(RangeError);
  expect(() => populationStability([-1, 2], [1, 2])).toThrow(RangeError);
});
