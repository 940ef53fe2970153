import { expect, it } from 'vitest';
import { boundaryOf, fractionsOf, maxInformationOf } from './boundary.js';
import type { ExperimentSettings, PastLook } from './look.js';

const HOUR = 3_600_000;
const settings: ExperimentSettings = {
  ...{ test: 'group_sequential', share: 0.1, alpha: 0.05, power: 0.8, minEffect: 0.02, targetEffect: 0.05 },
  ...{ minDurationMs: 48 * HOUR, maxDurationMs: 120 * HOUR, lookEveryMs: 24 * HOUR },
  ...{ minSamplesPerArm: 1_000, minSubjectsPerArm: 100, guardrails: [] },
};

/** Boundaries of looks every day from the second on, with so much of I_max a day; the last one is at max_duration. */
function boundaries(looks: number, perDay: number) {
  const past: PastLook[] = [];
  for (let k = 1; k <= looks; k += 1) {
    const information = (k + 1) * perDay * maxInformationOf(settings);
    const { c, tau, alphaIfTested } = boundaryOf({ settings, past, last: k === looks }, information);
    past.push({ k, information, tau: tau!, z: 0, c, alphaSpent: alphaIfTested });
    if (tau === 1) break;
  }
  return past;
}

it('an extension leaves I_max and the boundaries of the looks before it as they are', () => {
  expect(fractionsOf(settings).at(-1)).toBe(1);
  const [planned, extended] = [boundaries(4, 0.16), boundaries(7, 0.16)];
  expect(extended.slice(0, 3)).toEqual(planned.slice(0, 3));
  expect(extended[3]!.c).not.toBe(planned[3]!.c);
  for (const looks of [planned, extended]) expect(looks.at(-1)!.alphaSpent).toBeCloseTo(0.025, 6);
});

it.each([
  { when: 'whenever nothing was found', isExtended: () => true },
  { when: 'only where it looked promising', isExtended: (z: number) => z > 1 },
  { when: 'only where it looked bad', isExtended: (z: number) => z < 0.5 },
])('of identical challengers hardly more than 2.5 % are promoted when it is extended $when', ({ isExtended }) => {
  const [planned, extended] = [boundaries(4, 0.16), boundaries(7, 0.16)];
  let seed = 7;
  const uniform = () => {
    // mulberry32
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  const runs = 200_000;
  let promoted = 0;
  for (let run = 0; run < runs; run += 1) {
    let looks = planned;
    let [score, information] = [0, 0];
    for (let k = 0; k < looks.length; k += 1) {
      const look = looks[k]!;
      score += normal() * Math.sqrt(look.information - information);
      information = look.information;
      const z = score / Math.sqrt(information);
      if (look.c !== null && z >= look.c) {
        promoted += 1;
        break;
      }
      // Decided at the last moment, with everything known: the most that somebody could make of it.
      if (k === 2 && isExtended(z)) looks = extended;
    }
  }
  expect(promoted / runs).toBeGreaterThan(0.022);
  expect(promoted / runs).toBeLessThan(0.027);
});
