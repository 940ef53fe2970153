import fc from 'fast-check';
import { expect, test } from 'vitest';
import { clusterVarianceOf } from './cluster.js';
import { compareComposites, comparisonInterval, compositeOf } from './composite.js';
import { cuped } from './cuped.js';
import { estimateMetrics, type SubjectMetrics, sumMetrics } from './metric-sums.js';
import { noveltySlice } from './novelty.js';
import { drawNormal, seededRandom } from './random.js';
import { compareRatios, sumRatio } from './ratio.js';

const measured = fc.integer({ min: 1, max: 6 });
const value = fc.double({ min: -50, max: 50, noNaN: true });
const subject = fc.tuple(fc.record({ x: value, m: measured }), fc.record({ x: value, m: measured }));
const subjects = fc.array(subject, { minLength: 3, maxLength: 40 });

/** One measurement of each metric a subject. */
const once = (...columns: number[][]): SubjectMetrics[] =>
  columns[0]!.map((_, i) => columns.map((column) => ({ x: column[i]!, m: 1 })));

const y = [2, 3, 5, 2, 6, 10, 1, 7];
const before = [3, 1, 4, 1, 5, 9, 2, 6];
const y2 = [4, 8, 2, 9, 4, 9];
const before2 = [2, 7, 1, 8, 2, 8];
const mean = (list: number[]) => list.reduce((sum, v) => sum + v, 0) / list.length;
const covariance = (a: number[], b: number[]) =>
  a.reduce((sum, v, i) => sum + (v - mean(a)) * (b[i]! - mean(b)), 0) / (a.length - 1);

test('with one measurement a subject, means and covariances are the ordinary ones over n', () => {
  const { means, covariance: matrix } = estimateMetrics(sumMetrics(once(y, before)))!;
  expect(means[0]).toBeCloseTo(mean(y), 13);
  expect(matrix[0]![0]).toBeCloseTo(covariance(y, y) / 8, 13);
  expect(matrix[0]![1]).toBeCloseTo(covariance(y, before) / 8, 13);
  expect(matrix[1]![1]).toBeCloseTo(covariance(before, before) / 8, 13);
});

test('a composite has the variance of the combination made subject by subject', () => {
  const weights = [0.5, -0.2];
  const combined = y.map((v, i) => 0.5 * v - 0.2 * before[i]!);
  const { value: got, variance } = compositeOf(sumMetrics(once(y, before)), weights)!;
  expect(got).toBeCloseTo(mean(combined), 13);
  expect(variance).toBeCloseTo(covariance(combined, combined) / 8, 13);
  expect(() => compositeOf(sumMetrics(once(y, before)), [1])).toThrow(RangeError);
});

test('quality, feedback and latency together: 0.5, 0.3 and −0.2', () => {
  // Latency in seconds; a subject without feedback still counts for the other two.
  const arm = (shift: number): SubjectMetrics[] =>
    Array.from({ length: 30 }, (_, i) => [
      { x: (i % 5) / 5 + shift, m: 1 },
      { x: i % 6 === 3 ? 1 : 0, m: i % 2 },
      { x: 2 * (1 + (i % 4)), m: 2 },
    ]);
  const result = compareComposites(sumMetrics(arm(0)), sumMetrics(arm(0.1)), [0.5, 0.3, -0.2]);
  expect(result.champion).toBeCloseTo(
    0.5 * 0.4 + 0.3 * (5 / 15) - 0.2 * mean([...Array(30)].map((_, i) => 1 + (i % 4))),
    12,
  );
  expect(result.delta).toBeCloseTo(0.05, 12);
  expect(result.tested).toBe(true);
  const limits = comparisonInterval(result)!;
  expect((limits.lower + limits.upper) / 2).toBeCloseTo(0.05, 12);
  expect(comparisonInterval(result, Infinity)).toBeNull();
});

test('arms swapped change the sign, weights turned change the sign', () => {
  fc.assert(
    fc.property(subjects, subjects, (a, b) => {
      const [c, t] = [sumMetrics(a), sumMetrics(b)];
      const there = compareComposites(c, t, [0.7, -0.3]);
      const back = compareComposites(t, c, [0.7, -0.3]);
      const turned = compareComposites(c, t, [-0.7, 0.3]);
      expect(back.z + there.z).toBeCloseTo(0, 10);
      expect(turned.z + there.z).toBeCloseTo(0, 10);
      expect(back.p).toBeCloseTo(there.p, 10);
    }),
  );
});

test('the reference that totals are taken from changes nothing', () => {
  fc.assert(
    fc.property(subjects, value, value, (list, r0, r1) => {
      const own = estimateMetrics(sumMetrics(list))!;
      const other = estimateMetrics(sumMetrics(list, [r0, r1]))!;
      own.means.forEach((m, j) => {
        expect(Math.abs(m - other.means[j]!)).toBeLessThan(1e-9);
      });
      own.covariance.flat().forEach((v, k) => {
        expect(Math.abs(v - other.covariance.flat()[k]!)).toBeLessThan(1e-8);
      });
    }),
  );
});

test('measurements around 1e8 keep their digits', () => {
  const list = Array.from({ length: 40 }, (_, i) => ({ m: 2, x: 2e8 + (i % 2 === 0 ? 1 : -1) }));
  const { variances } = compareRatios(sumRatio(list), sumRatio(list));
  expect(variances![0]).toBeCloseTo(((40 / 39) * 40) / 6400, 14);
});

test('a ratio is one metric, and its variance the clustered one', () => {
  fc.assert(
    fc.property(subjects, subjects, (a, b) => {
      const [c, t] = [a.map(([first]) => first), b.map(([first]) => first)];
      const result = compareRatios(sumRatio(c), sumRatio(t));
      expect(result.variances![0]).toBeCloseTo(clusterVarianceOf(c)!, 9);
      const back = compareRatios(sumRatio(t), sumRatio(c));
      expect(back.zCommon + result.zCommon).toBeCloseTo(0, 9);
      expect(Math.sign(result.zCommon)).toBe(Math.sign(result.delta!));
      if (result.informationCommon !== null)
        expect(result.zCommon).toBeCloseTo(result.delta! * Math.sqrt(result.informationCommon), 9);
    }),
  );
});

test('too few subjects, and nothing that varies, are not tested', () => {
  const some = sumRatio([
    { x: 1, m: 1 },
    { x: 2, m: 1 },
  ]);
  expect(compareRatios(sumRatio([{ x: 1, m: 1 }]), some)).toMatchObject({ tested: false, z: 0, zCommon: 0, p: 1 });
  expect(compareRatios(sumRatio([]), some)).toMatchObject({ tested: false, champion: null, delta: null });
  const flat = sumRatio([
    { x: 1, m: 1 },
    { x: 1, m: 1 },
  ]);
  expect(compareRatios(flat, flat)).toMatchObject({ tested: false, delta: 0, p: 1, informationCommon: null });
  expect(() => sumMetrics([[{ x: 1, m: 1 }], []])).toThrow(RangeError);
  expect(() => sumMetrics([[{ x: 1, m: -1 }]])).toThrow(RangeError);
});

test('the adjustment for history is that of the formula', () => {
  const result = cuped(sumMetrics(once(y, before)), sumMetrics(once(y2, before2)));
  const theta =
    (covariance(y, before) / 8 + covariance(y2, before2) / 6) /
    (covariance(before, before) / 8 + covariance(before2, before2) / 6);
  expect(result.theta).toBeCloseTo(theta, 12);
  // NumPy on the same values.
  expect([result.theta, result.delta, result.se].map((v) => v?.toFixed(10))).toEqual([
    '0.9530585745',
    '0.7454952952',
    '0.4229948953',
  ]);
  expect(result.delta).toBeCloseTo(mean(y2) - mean(y) - theta * (mean(before2) - mean(before)), 12);
  const rest = (a: number[], b: number[]) => a.map((v, i) => v - theta * b[i]!);
  const variance =
    covariance(rest(y, before), rest(y, before)) / 8 + covariance(rest(y2, before2), rest(y2, before2)) / 6;
  expect(result.se).toBeCloseTo(Math.sqrt(variance), 12);
  expect(result.reduction).toBeGreaterThan(0.8);
  expect(result.champion).toBeCloseTo(mean(y), 12);
});

test('the adjustment never widens the interval, and a history of nothing changes nothing', () => {
  fc.assert(
    fc.property(subjects, subjects, (a, b) => {
      const [c, t] = [sumMetrics(a), sumMetrics(b)];
      const plain = compareComposites(c, t, [1, 0]);
      const adjusted = cuped(c, t);
      if (plain.se !== null) expect(adjusted.se!).toBeLessThanOrEqual(plain.se * (1 + 1e-9));
      expect(cuped(t, c).theta).toBeCloseTo(adjusted.theta, 9);
    }),
  );
  const flat = sumMetrics(
    once(
      y,
      y.map(() => 3),
    ),
  );
  expect(cuped(flat, flat)).toMatchObject({ theta: 0, reduction: 0, delta: 0 });
  expect(() => cuped(sumMetrics(once(y)), sumMetrics(once(y)))).toThrow(RangeError);
});

test('of 600 simulated experiments without a difference the adjusted test finds one in about 5 %', () => {
  const random = seededRandom(11);
  const arm = (n: number) =>
    sumMetrics(
      Array.from({ length: n }, () => {
        const own = drawNormal(random);
        return [
          { x: own + 0.5 * drawNormal(random), m: 1 },
          { x: own + 0.5 * drawNormal(random), m: 1 },
        ];
      }),
      [0, 0],
    );
  let found = 0;
  for (let run = 0; run < 600; run++) if (cuped(arm(60), arm(40)).p < 0.05) found += 1;
  expect(found / 600).toBeGreaterThan(0.02);
  expect(found / 600).toBeLessThan(0.09);
});

test('an effect that fades shows as late less early, between disjoint people', () => {
  const arm = (x: number, n: number) =>
    sumMetrics(
      Array.from({ length: n }, (_, i) => [{ x: i < x ? 1 : 0, m: 1 }]),
      [0.8],
    );
  const early = { champion: arm(800, 1000), challenger: arm(90, 100) };
  const late = { champion: arm(790, 1000), challenger: arm(79, 100) };
  const result = noveltySlice(early, late);
  expect(result.early).toBeCloseTo(0.1, 12);
  expect(result.late).toBeCloseTo(0, 12);
  expect(result.delta).toBeCloseTo(-0.1, 12);
  const v = (p: number, n: number) => (p * (1 - p)) / (n - 1);
  expect(result.se).toBeCloseTo(Math.sqrt(v(0.8, 1000) + v(0.9, 100) + v(0.79, 1000) + v(0.79, 100)), 12);
  expect(noveltySlice(late, early).z).toBeCloseTo(-result.z, 12);
  expect(noveltySlice(early, { champion: arm(0, 0), challenger: arm(1, 2) })).toMatchObject({
    tested: false,
    late: null,
  });
});
