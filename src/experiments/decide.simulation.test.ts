import { expect, test } from 'vitest';
import {
  type ArmSums,
  fixedMaxInformation,
  outcomesForInformation,
  plannedDesignEffect,
  twoProportionZ,
} from '../stats/index.js';
import { decideAtLook, type ExperimentSettings, type LookInput } from './decide.js';

const HOUR = 3_600_000;
const settings: ExperimentSettings = {
  ...{ test: 'fixed', alpha: 0.05, power: 0.8, minEffect: 0, targetEffect: 0.05, share: 0.1 },
  ...{ minSamplesPerArm: 100, minSubjectsPerArm: 50, guardrails: [{ metric: 'error_rate', margin: 0.01 }] },
  ...{ minDurationMs: 48 * HOUR, maxDurationMs: 120 * HOUR, lookEveryMs: 24 * HOUR },
};

/** The experiments are the same on every machine and in every run. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/**
 * An arm of people who differ: each has an own positive share, p ± 0.126, which at p = 0.8 is an intra-class
 * correlation of 0.1, and 1 to 9 ratings.
 */
function drawArm(random: () => number, people: number, p: number): ArmSums {
  const sums = { n: 0, x: 0, m2: 0, x2: 0, xm: 0 };
  for (let s = 0; s < people; s++) {
    const own = p + (random() < 0.5 ? 0.126 : -0.126);
    const m = 1 + Math.floor(random() * 9);
    let x = 0;
    for (let i = 0; i < m; i++) x += random() < own ? 1 : 0;
    sums.n += m;
    sums.x += x;
    sums.m2 += m * m;
    sums.x2 += x * x;
    sums.xm += x * m;
  }
  const { n, m2 } = sums;
  return { ...sums, O: people, S: people, N: people, E: n, e2: m2, em: m2, requests: 100 * people, errors: 0 };
}

/** How often, of `runs` experiments, the rule promotes and a test that forgets about people would have. */
function promotions(runs: number, people: number, effect: number): { rule: number; perRating: number } {
  const random = dice(20_261_120);
  const counts = { rule: 0, perRating: 0 };
  for (let run = 0; run < runs; run++) {
    const champion = drawArm(random, 9 * people, 0.8);
    const challenger = drawArm(random, people, 0.8 + effect);
    const input: LookInput = {
      ...{ settings, startedAt: 0, asOf: 48 * HOUR, last: false, champion, challenger, crossed: 0, prior: null },
    };
    if (decideAtLook(input).decision === 'promote') counts.rule += 1;
    if (twoProportionZ(champion, challenger).z >= 1.959963984540054) counts.perRating += 1;
  }
  return counts;
}

test('of 2,000 challengers that are identical at most 3.5 % are promoted, though people rate several times', () => {
  const { rule, perRating } = promotions(2000, 70, 0);
  expect(rule / 2000).toBeLessThanOrEqual(0.035);
  expect(rule / 2000).toBeGreaterThanOrEqual(0.015);
  // What the design effect is for: the same experiments, each rating taken for itself.
  expect(perRating / 2000).toBeGreaterThan(0.04);
});

test('with the planned information a challenger at the target effect is promoted about as often as planned', () => {
  const spread = Math.sqrt(20 / 3) / 5; // of 1 to 9 ratings a person, 5 on average
  const design = plannedDesignEffect(5, spread, 0.1);
  const pooled = 0.8 + 0.1 * 0.05;
  const { challenger } = outcomesForInformation(fixedMaxInformation(settings), pooled, settings.share, design);
  const { rule } = promotions(500, Math.round(challenger / 5), 0.05);
  expect(rule / 500).toBeGreaterThan(0.75);
  expect(rule / 500).toBeLessThan(0.87);
});
