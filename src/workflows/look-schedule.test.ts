import fc from 'fast-check';
import { expect, it } from 'vitest';
import { lookTimes } from '../experiments/look-times.js';
import { lookSchedule } from './look-schedule.js';

const duration = fc.integer({ min: 1, max: 10 ** 9 });

it('looks at the minimum, then regularly, and last at the maximum: when the experiment expects it', () => {
  fc.assert(
    fc.property(duration, duration, fc.integer({ min: 10 ** 6, max: 10 ** 9 }), (minDurationMs, more, lookEveryMs) => {
      const plan = { minDurationMs, maxDurationMs: minDurationMs + more, lookEveryMs };
      const looks = lookSchedule(plan, 5_000);
      expect(looks.map(({ at }) => at)).toEqual(lookTimes(plan, 5_000));
      expect(looks.map(({ k }) => k)).toEqual(looks.map((_look, i) => i + 1));
      expect(looks.filter(({ last }) => last)).toEqual([looks.at(-1)]);
    }),
  );
});

it('looks once when minimum and maximum are one', () => {
  const plan = { minDurationMs: 10, maxDurationMs: 10, lookEveryMs: 10 };
  expect(lookSchedule(plan, 0)).toEqual([{ k: 1, at: 10, last: true }]);
});
