import fc from 'fast-check';
import { expect, test } from 'vitest';
import { groupSequentialMaxInformation, groupSequentialPower, plannedFractions } from './group-sequential-plan.js';
import { planExperiment } from './plan-experiment.js';
import { correlationOf, fixedMaxInformation, plannedDesignEffect, powerOfSizes, sampleSize } from './planning.js';

const POLICY = { alpha: 0.05, power: 0.8, minEffect: 0.02, targetEffect: 0.05, fractions: [0.4, 0.6, 0.8, 1] };
const TRAFFIC = { outcomesPerDay: 900, positive: 0.8, design: 1.2, subjects: 2500 };
const EXPERIMENT = {
  ...POLICY,
  ...{ test: 'group_sequential' as const, maxDays: 5, share: 0.1, minSamplesPerArm: 100, minSubjectsPerArm: 50 },
  traffic: TRAFFIC,
};

test('the looks of the default policy are at 0.4, 0.6, 0.8 and 1 of its time', () => {
  expect(plannedFractions({ minDuration: 48, lookEvery: 24, maxDuration: 120 })).toEqual(POLICY.fractions);
  expect(plannedFractions({ minDuration: 48, lookEvery: 50, maxDuration: 120 })).toEqual([0.4, 98 / 120, 1]);
  expect(plannedFractions({ minDuration: 48, lookEvery: 24, maxDuration: 48 })).toEqual([1]);
  expect(() => plannedFractions({ minDuration: 48, lookEvery: 0, maxDuration: 120 })).toThrow(RangeError);
  expect(() => plannedFractions({ minDuration: 48, lookEvery: 24, maxDuration: 47 })).toThrow(RangeError);
});

test('the default policy needs an information of 3217.16, two and a half per cent above the fixed rule', () => {
  const information = groupSequentialMaxInformation(POLICY);
  expect(information.toFixed(2)).toBe('3217.16');
  expect(information / fixedMaxInformation(POLICY)).toBeCloseTo(1.02472, 5);
  const at = groupSequentialPower({
    ...POLICY,
    maxInformation: information,
    informationAtEnd: information,
    effect: 0.05,
  });
  expect(at.everUpper).toBeCloseTo(0.8, 9);
});

test('with one look it is the fixed rule: the larger of its two terms, where one of them rules', () => {
  for (const minEffect of [0, 0.02, 0.045]) {
    const settings = { ...POLICY, minEffect, fractions: [1] };
    expect(groupSequentialMaxInformation(settings) / fixedMaxInformation(settings)).toBeCloseTo(1, 9);
  }
});

test('more power, a smaller target and a larger least effect need more information', () => {
  const base = groupSequentialMaxInformation(POLICY);
  expect(groupSequentialMaxInformation({ ...POLICY, power: 0.9 })).toBeGreaterThan(base);
  expect(groupSequentialMaxInformation({ ...POLICY, targetEffect: 0.04 })).toBeGreaterThan(base);
  expect(groupSequentialMaxInformation({ ...POLICY, minEffect: 0.045 })).toBeGreaterThan(base);
  expect(groupSequentialMaxInformation({ ...POLICY, spending: 'pocock' })).toBeGreaterThan(base);
  expect(() => groupSequentialMaxInformation({ ...POLICY, targetEffect: 0.02 })).toThrow(RangeError);
  expect(() => groupSequentialMaxInformation({ ...POLICY, fractions: [0.4, 0.9] })).toThrow(RangeError);
});

test('whatever the traffic, no more than alpha/2 of identical challengers are promoted', () => {
  const maxInformation = groupSequentialMaxInformation(POLICY);
  fc.assert(
    fc.property(fc.double({ min: 100, max: 50_000, noNaN: true }), (informationAtEnd) => {
      const { everUpper } = groupSequentialPower({ ...POLICY, maxInformation, informationAtEnd, effect: 0 });
      expect(everUpper).toBeLessThanOrEqual(0.025 + 1e-10);
    }),
    { numRuns: 40 },
  );
});

test('a truth of exactly the least effect is promoted half of the time at most', () => {
  const { everUpper } = groupSequentialPower({
    ...POLICY,
    ...{ fractions: [1], maxInformation: 3217, informationAtEnd: 400_000, effect: POLICY.minEffect },
  });
  expect(everUpper).toBeCloseTo(0.5, 9);
});

test('a plan says what this traffic allows', () => {
  const plan = planExperiment(EXPERIMENT);
  // 900 a day, share 0.1, p̄ = 0.805, D = 1.2.
  expect(plan.informationAtEnd).toBeCloseTo((5 * 900 * 0.09) / (0.805 * 0.195 * 1.2), 6);
  expect(plan.finishes).toBe(false);
  expect(plan.daysToMaxInformation).toBeCloseTo((5 * plan.maxInformation) / plan.informationAtEnd, 9);
  expect(plan.power).toBeGreaterThan(0.5);
  expect(plan.power).toBeLessThan(0.8);
  expect(plan.detectable).toBeGreaterThan(0.05);
  expect(plan.expectedDays.atTarget).toBeLessThan(plan.expectedDays.atNone);
  const wider = planExperiment({ ...EXPERIMENT, share: plan.shareToFinish! * 1.001 });
  expect(wider.finishes).toBe(true);
  expect(wider.power).toBeCloseTo(0.8, 2);
  expect(planExperiment({ ...EXPERIMENT, share: plan.shareToFinish! * 0.99 }).finishes).toBe(false);
});

test('too little traffic has no share that would do, and floors that are never met promise nothing', () => {
  const thin = planExperiment({ ...EXPERIMENT, traffic: { ...TRAFFIC, outcomesPerDay: 60 } });
  expect(thin.shareToFinish).toBeNull();
  expect(thin.finishes).toBe(false);
  const floors = planExperiment({ ...EXPERIMENT, minSubjectsPerArm: 5000 });
  expect(floors).toMatchObject({ finishes: false, power: 0, detectable: null });
  expect(floors.daysToFloors).toBeGreaterThan(5);
});

test('much traffic is decided at the first look', () => {
  const rich = planExperiment({ ...EXPERIMENT, traffic: { ...TRAFFIC, outcomesPerDay: 50_000 } });
  expect(rich.expectedDays).toEqual({ atTarget: 2, atNone: 2 });
  expect(rich.power).toBeGreaterThan(0.99);
});

test('the fixed rule is planned as its one look', () => {
  const plan = planExperiment({ ...EXPERIMENT, test: 'fixed', fractions: [1] });
  expect(plan.maxInformation).toBeCloseTo(3139.5518937396355, 6);
  const same = planExperiment({ ...EXPERIMENT, fractions: [1] });
  expect(plan.power).toBeCloseTo(same.power, 9);
});

test('nonsense traffic is refused', () => {
  for (const traffic of [
    { ...TRAFFIC, outcomesPerDay: 0 },
    { ...TRAFFIC, design: 0.5 },
    { ...TRAFFIC, positive: 1.2 },
    { ...TRAFFIC, subjects: NaN },
  ])
    expect(() => planExperiment({ ...EXPERIMENT, traffic })).toThrow(RangeError);
  expect(() => planExperiment({ ...EXPERIMENT, share: 1 })).toThrow(RangeError);
  // Everybody content: still a plan.
  expect(planExperiment({ ...EXPERIMENT, traffic: { ...TRAFFIC, positive: 1 } }).finishes).toBe(true);
});

test('sizes and power, correlation and design effect are each other turned round', () => {
  const input = { alpha: 0.05, share: 0.1, p0: 0.8, effect: 0.05 };
  for (const power of [0.5, 0.8, 0.95])
    expect(powerOfSizes(sampleSize({ ...input, power }), input)).toBeCloseTo(power, 10);
  expect(powerOfSizes(sampleSize({ ...input, power: 0.8, design: 1.7 }), { ...input, design: 1.7 })).toBeCloseTo(
    0.8,
    10,
  );
  expect(correlationOf(plannedDesignEffect(5, 0.5, 0.1), 5, 0.5)).toBeCloseTo(0.1, 12);
  expect(correlationOf(1.5, 1, 0)).toBe(0);
  expect(correlationOf(0.9, 4, 0)).toBe(0);
});

test('every plan that a policy can ask for has an information, one with a single look too', () => {
  const plans = fc.record({
    alpha: fc.constantFrom(0.001, 0.01, 0.05, 0.1, 0.2),
    power: fc.constantFrom(0.5, 0.8, 0.9, 0.99),
    minEffect: fc.constantFrom(0, 0.01, 0.02),
    targetEffect: fc.constantFrom(0.03, 0.05, 0.1, 0.3, 0.9),
    fractions: fc.constantFrom([1], [0.5, 1], [0.4, 0.6, 0.8, 1]),
  });
  fc.assert(
    fc.property(plans, (plan) => {
      const information = groupSequentialMaxInformation(plan);
      const at = { ...plan, maxInformation: information, informationAtEnd: information, effect: plan.targetEffect };
      expect(groupSequentialPower(at).everUpper).toBeCloseTo(plan.power, 8);
    }),
    { numRuns: 200 },
  );
});
