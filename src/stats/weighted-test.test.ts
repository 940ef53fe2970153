import { describe, expect, test } from 'vitest';
import { sumMetrics } from './metric-sums.js';
import { seededRandom } from './random.js';
import { compareRatios, sumRatio } from './ratio.js';
import { pickMetrics, weightedTest } from './weighted-test.js';

const random = seededRandom(7);
/** People with 1 to 4 measurements that resemble each other, around a mean of 1e6 + `shift`. */
function people(count: number, shift = 0) {
  return Array.from({ length: count }, () => {
    const m = 1 + Math.floor(random() * 4);
    const own = 1e6 + shift + 10 * (random() - 0.5);
    return { m, x: m * own + 5 * (random() - 0.5) };
  });
}

describe('a weighted test', () => {
  test('of one metric of weight 1 is the common test of a ratio', () => {
    const [c, t] = [sumRatio(people(300)), sumRatio(people(40, 2))];
    const { zCommon, informationCommon, delta, se } = compareRatios(c, t);
    const weighted = weightedTest(c, t, [1]);
    expect(weighted.tested).toBe(true);
    expect(weighted.z).toBeCloseTo(zCommon, 9);
    expect(weighted.information).toBeCloseTo(informationCommon as number, 9);
    expect(weighted.delta).toBeCloseTo(delta as number, 9);
    expect(weighted.seInterval).toBeCloseTo(se as number, 9);
  });

  test('of a sum of two metrics is the test of the metric that is their sum', () => {
    const arm = (count: number, shift: number) => {
      const a = people(count, shift);
      const b = a.map(({ m, x }) => ({ m, x: 0.5 * x + m * random() }));
      return {
        both: sumMetrics(a.map((one, i) => [one, b[i]!])),
        sum: sumRatio(a.map(({ m, x }, i) => ({ m, x: 0.5 * x - 0.2 * b[i]!.x }))),
      };
    };
    const [c, t] = [arm(200, 0), arm(30, 3)];
    const weighted = weightedTest(c.both, t.both, [0.5, -0.2]);
    const plain = weightedTest(c.sum, t.sum, [1]);
    expect(weighted.delta).toBeCloseTo(plain.delta as number, 6);
    expect(weighted.z).toBeCloseTo(plain.z, 6);
  });

  test('with the arms swapped is the same with the other sign, and so it is with the weights negated', () => {
    const [c, t] = [sumRatio(people(50)), sumRatio(people(60, 1))];
    const z = weightedTest(c, t, [1]).z;
    expect(weightedTest(t, c, [1]).z).toBeCloseTo(-z, 9);
    expect(weightedTest(c, t, [-1]).z).toBeCloseTo(-z, 9);
  });

  test('without measurements, with one subject, or where nothing varies is none', () => {
    const c = sumRatio(people(10));
    const nothing = { tested: false, z: 0, p: 1, information: null };
    expect(weightedTest(c, sumRatio([]), [1])).toMatchObject({ ...nothing, delta: null, challenger: null });
    expect(weightedTest(c, sumRatio(people(1)), [1])).toMatchObject(nothing);
    const same = sumRatio(Array.from({ length: 5 }, () => ({ x: 2, m: 1 })));
    expect(weightedTest(same, same, [1])).toMatchObject({ ...nothing, delta: 0, seInterval: 0 });
  });

  test('promotes identical models about as often as it says when the arm is small and the metric skewed', () => {
    let better = 0;
    const runs = 1_500;
    for (let run = 0; run < runs; run++) {
      // Exponential, two measurements of one person alike in part.
      const person = () => {
        const own = -Math.log(1 - random());
        return { m: 2, x: own - 2 * Math.log(1 - random()) };
      };
      const arm = (count: number) => sumRatio(Array.from({ length: count }, person));
      if (weightedTest(arm(540), arm(60), [1]).z >= 1.96) better += 1;
    }
    // Nominal 2.5 %, three standard errors 1.2 points.
    expect(better / runs).toBeLessThan(0.037);
    expect(better / runs).toBeGreaterThan(0.013);
  });
});

test('picking metrics takes their sums along', () => {
  const subjects = [
    [
      { x: 1, m: 1 },
      { x: 10, m: 2 },
      { x: 5, m: 1 },
    ],
    [
      { x: 0, m: 1 },
      { x: 30, m: 3 },
      { x: 7, m: 2 },
    ],
  ];
  const all = sumMetrics(subjects, [0, 1, 2]);
  const some = sumMetrics(
    subjects.map(([a, , c]) => [c!, a!]),
    [2, 0],
  );
  expect(pickMetrics(all, [2, 0], 2)).toEqual(some);
});
