import { expect, test } from 'vitest';
import { sumArm } from './arm-sums.js';
import { clusteredLimits, wilsonLimits } from './score-limits.js';

const Z = 1.959963984540054;

test('with one outcome from each subject the clustered limits are those of Wilson', () => {
  const sums = sumArm(Array.from({ length: 40 }, (_, i) => ({ e: 1, m: 1, x: i < 12 ? 1 : 0 })));
  expect(clusteredLimits(sums, Z)).toEqual(wilsonLimits({ n: 40, x: 12 }, Z));
});

test('subjects that always answer alike count once each, however often they answer', () => {
  const subjects = Array.from({ length: 40 }, (_, i) => ({ e: 5, m: 5, x: i < 12 ? 5 : 0 }));
  const [limits, once] = [clusteredLimits(sumArm(subjects), Z)!, wilsonLimits({ n: 40, x: 12 }, Z)];
  // N/(N-1) of the variance.
  expect(Math.abs(limits.lower - once.lower)).toBeLessThan(0.003);
  expect(Math.abs(limits.upper - once.upper)).toBeLessThan(0.003);
});

test('outcomes that are all alike claim no more than their subjects do', () => {
  const sums = sumArm([
    { e: 50, m: 50, x: 50 },
    { e: 50, m: 50, x: 50 },
  ]);
  expect(clusteredLimits(sums, Z)).toEqual(wilsonLimits({ n: 2, x: 2 }, Z));
});

test('one subject alone says nothing', () => {
  expect(clusteredLimits(sumArm([{ e: 9, m: 9, x: 4 }]), Z)).toBeNull();
  expect(clusteredLimits(sumArm([]), Z)).toBeNull();
});
