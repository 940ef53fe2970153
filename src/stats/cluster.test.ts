import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ArmSums, checkArmSums, type SubjectCounts, sumArm } from './arm-sums.js';
import { clusterVariance, clusterVarianceOf, designEffect } from './cluster.js';
import { clusteredInterval, clusteredTest } from './clustered-test.js';
import { twoProportionZ } from './two-proportions.js';

const subject = fc
  .integer({ min: 0, max: 12 })
  .chain((m) =>
    fc.record({ m: fc.constant(m), x: fc.integer({ min: 0, max: m }), e: fc.integer({ min: m, max: 20 }) }),
  );
const subjects = fc.array(subject, { minLength: 2, maxLength: 60 });

const rated = (pairs: [x: number, m: number][]): SubjectCounts[] => pairs.map(([x, m]) => ({ x, m, e: m }));
/** Worked by hand in docs/statistics.md. */
const champion = sumArm(
  rated([
    [2, 2],
    [0, 1],
    [1, 3],
  ]),
);
const challenger = sumArm(
  rated([
    [1, 1],
    [2, 2],
    [0, 1],
  ]),
);

test('the worked example of the documentation comes out', () => {
  expect(clusterVariance(champion)).toBeCloseTo(0.0625, 15);
  expect(designEffect(champion)).toBeCloseTo(1.5, 14);
  expect(designEffect(challenger)).toBeCloseTo(1.75, 14);
  const result = clusteredTest(champion, challenger);
  expect(result).toMatchObject({ tested: true, delta: 0.25, pChampion: 0.5, pChallenger: 0.75 });
  expect(result.information).toBeCloseTo(1 / 0.165, 12);
  expect(result.z).toBeCloseTo(0.25 / Math.sqrt(0.165), 14);
  const interval = clusteredInterval(result, 2);
  expect(interval?.lower).toBeCloseTo(0.25 - 2 * Math.sqrt(0.14453125), 14);
  expect(interval?.upper).toBeCloseTo(0.25 + 2 * Math.sqrt(0.14453125), 14);
});

test('sums give the variance that centring gives', () => {
  fc.assert(
    fc.property(subjects, (list) => {
      const direct = clusterVarianceOf(list);
      const sums = sumArm(list);
      const fromSums = clusterVariance(sums);
      if (direct === null) {
        expect(fromSums).toBeNull();
        return;
      }
      // A difference of sums is exact to a few units in the last place of the sums, not of the difference.
      const { N, n, x, x2, xm, m2 } = sums;
      const p = x / n;
      const terms = ((N / (N - 1)) * (x2 + 2 * p * xm + p * p * m2)) / n ** 2;
      expect(Math.abs((fromSums as number) - direct)).toBeLessThanOrEqual(8 * Number.EPSILON * terms);
    }),
  );
});

test('the sums of a million subjects who almost always agree lose no digits', () => {
  const [good, bad] = [
    { x: 8, m: 8, e: 8 },
    { x: 7, m: 8, e: 8 },
  ];
  const sums = { N: 1e6, n: 8e6, x: 8e6 - 10, m2: 64e6, x2: (1e6 - 10) * 64 + 10 * 49, xm: (1e6 - 10) * 64 + 10 * 56 };
  const p = sums.x / sums.n;
  const centred = (1e6 - 10) * (good.x - p * good.m) ** 2 + 10 * (bad.x - p * bad.m) ** 2;
  const expected = ((1e6 / (1e6 - 1)) * centred) / sums.n ** 2;
  expect(Math.abs((clusterVariance(sums) as number) / expected - 1)).toBeLessThan(1e-9);
});

test('centring keeps the digits of measurements around 1e8', () => {
  const list = Array.from({ length: 40 }, (_, i) => ({ m: 2, x: 2e8 + (i % 2 === 0 ? 1 : -1) }));
  // Every residual is ±1: V = 40/39 · 40 / 80².
  expect(clusterVarianceOf(list)).toBeCloseTo(((40 / 39) * 40) / 6400, 15);
});

test('the design effect is at least 1, and exactly 1 with one outcome a subject or outcomes all alike', () => {
  fc.assert(
    fc.property(subjects, (list) => {
      expect(designEffect(sumArm(list)) ?? 1).toBeGreaterThanOrEqual(1);
    }),
  );
  const single = sumArm(rated([...Array(30)].map((_, i) => [i % 3 === 0 ? 1 : 0, 1])));
  expect(designEffect(single)).toBe(1);
  expect(
    designEffect(
      sumArm(
        rated([
          [4, 4],
          [9, 9],
        ]),
      ),
    ),
  ).toBe(1);
  expect(
    designEffect(
      sumArm(
        rated([
          [0, 4],
          [0, 9],
        ]),
      ),
    ),
  ).toBe(1);
  expect(designEffect(sumArm(rated([[1, 4]])))).toBeNull();
});

test('subjects who repeat themselves k times have a design effect of about k', () => {
  const list = [...Array(2000)].map((_, i): [number, number] => (i % 2 === 0 ? [5, 5] : [0, 5]));
  expect(designEffect(sumArm(rated(list)))).toBeCloseTo((5 * 2000) / 1999, 10);
});

test('with one outcome a subject the test is the textbook one', () => {
  const one = (n: number, x: number) => sumArm(rated([...Array(n)].map((_, i) => [i < x ? 1 : 0, 1])));
  const clustered = clusteredTest(one(900, 700), one(100, 85));
  const plain = twoProportionZ({ n: 900, x: 700 }, { n: 100, x: 85 });
  expect(clustered.z).toBeCloseTo(plain.z, 13);
  expect(clustered.p).toBeCloseTo(plain.p, 13);
});

test('swapping the arms negates z and keeps p, information and the width', () => {
  fc.assert(
    fc.property(subjects, subjects, (a, b) => {
      const there = clusteredTest(sumArm(a), sumArm(b));
      const back = clusteredTest(sumArm(b), sumArm(a));
      expect(back.z + there.z).toBeCloseTo(0, 12);
      expect(back.p).toBeCloseTo(there.p, 12);
      expect(back.information ?? 0).toBeCloseTo(there.information ?? 0, 8);
      expect(there.p).toBeGreaterThanOrEqual(0);
      expect(there.p).toBeLessThanOrEqual(1);
    }),
  );
});

test('fewer than two subjects in an arm, or outcomes all alike, are not tested', () => {
  const two = sumArm(
    rated([
      [1, 2],
      [1, 1],
    ]),
  );
  expect(clusteredTest(two, sumArm(rated([[3, 4]])))).toMatchObject({ tested: false, z: 0, p: 1, information: null });
  expect(clusteredInterval(clusteredTest(two, sumArm([])), 2)).toBeNull();
  const all = sumArm(
    rated([
      [2, 2],
      [1, 1],
    ]),
  );
  expect(clusteredTest(all, all)).toMatchObject({ tested: false, z: 0, p: 1, delta: 0, seInterval: 0 });
});

test('any real arm passes the check of its sums', () => {
  fc.assert(
    fc.property(subjects, (list) => {
      const sums = sumArm(list, { requests: 10, errors: 2, slow: 10 });
      expect(sums.E).toBe(list.reduce((sum, { e }) => sum + e, 0));
      expect(checkArmSums(sums)).toBe(sums);
    }),
  );
});

test.each<[string, Partial<Record<keyof ArmSums, unknown>>]>([
  ['more positive outcomes than outcomes', { x: 7 }],
  ['more outcomes than interactions', { E: 5 }],
  ['more subjects with an outcome than subjects', { S: 2 }],
  ['a product sum above the square sum', { xm: 15 }],
  ['more errors than requests', { errors: 1 }],
  ['more slow requests than requests', { slow: 1 }],
  ['a fraction', { n: 5.5 }],
  ['a negative count', { requests: -1 }],
  ['a count that came as text', { O: '3' }],
  ['a missing sum', { em: undefined }],
])('%s is refused', (_, broken) => {
  expect(() => checkArmSums({ ...champion, ...broken } as ArmSums)).toThrow(RangeError);
});
