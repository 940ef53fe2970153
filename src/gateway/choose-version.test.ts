import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseVersion } from './choose-version.js';

const EXPERIMENT = '6f1a0c1e-51f4-4d52-9a2e-0c2b8e0f7a11';
const route = {
  model: 'support',
  epoch: 3,
  champion: 1,
  previous: null,
  challenger: 2,
  share: 0.5,
  experimentId: EXPERIMENT,
  validForMs: 60_000,
  promotedAt: null,
  expired: false,
};

describe('chooseVersion', () => {
  it('gives a subject the same arm whatever else changes in the route', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }),
        fc.integer({ min: 1, max: 99 }),
        fc.boolean(),
        (subject, epoch, expired) => {
          const before = chooseVersion(route, subject, 'challenger');
          const after = chooseVersion({ ...route, epoch, expired }, subject, 'challenger');
          expect(after.arm).toBe(before.arm);
          expect(after.assignedVersion).toBe(before.arm === 'challenger' ? 2 : 1);
          expect(after.version).toBe(expired ? 1 : before.version);
        },
      ),
    );
  });

  it('splits subjects by the share', () => {
    const arms = Array.from(
      { length: 4_000 },
      (_, n) => chooseVersion({ ...route, share: 0.1 }, `s${n}`, 'holdback').arm,
    );
    const second = arms.filter((arm) => arm === 'holdback').length;
    expect(second / arms.length).toBeGreaterThan(0.08);
    expect(second / arms.length).toBeLessThan(0.12);
    expect(new Set(arms)).toEqual(new Set(['champion', 'holdback']));
  });

  it('lets the champion answer, outside the experiment, without a subject or without an experiment', () => {
    const none = { version: 1, experimentId: null, arm: null, assignedVersion: null };
    expect(chooseVersion(route, null, 'challenger')).toEqual(none);
    expect(chooseVersion({ ...route, challenger: null, share: null, experimentId: null }, 'x', 'challenger')).toEqual(
      none,
    );
  });
});
