import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chiSquareSf } from '../stats/index.js';
import { isInSecondArm } from './assign-arm.js';
import { bucket, chooseVariation, getBucketRange } from './bucketing.js';

describe('assignment', () => {
  it('never takes a subject off the second arm when only the share grows', () => {
    fc.assert(
      fc.property(
        fc.uuid(),
        fc.string(),
        fc.double({ min: 0.01, max: 0.5, noNaN: true }),
        fc.double({ min: 0, max: 0.5, noNaN: true }),
        (experiment, subject, share, more) => {
          if (isInSecondArm(experiment, subject, share))
            expect(isInSecondArm(experiment, subject, share + more)).toBe(true);
          expect(isInSecondArm(experiment, subject, share)).toBe(isInSecondArm(experiment, subject, share));
        },
      ),
    );
  });

  it('is the first variation that GrowthBook would choose, for any share', () => {
    const share = fc.oneof(
      fc.double({ min: 0.0001, max: 0.5, noNaN: true }),
      fc.integer({ min: 1, max: 5_000 }).map((tenThousandths) => tenThousandths / 10_000),
    );
    fc.assert(
      fc.property(fc.uuid(), share, (experiment, given) => {
        const ranges = getBucketRange(2, 1, [given, 1 - given]);
        for (let n = 0; n < 50; n++) {
          const chosen = chooseVariation(bucket(experiment, `subject-${n}`)!, ranges);
          expect(isInSecondArm(experiment, `subject-${n}`, given)).toBe(chosen === 0);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('spreads subjects evenly, and anew for each experiment', () => {
    const subjects = Array.from({ length: 20_000 }, (_, i) => `subject-${i}`);
    const tenths = new Array<number>(10).fill(0);
    let both = 0;
    for (const subject of subjects) {
      const index = Math.floor(bucket('experiment-a', subject)! * 10);
      tenths[index] = tenths[index]! + 1;
      if (isInSecondArm('experiment-a', subject, 0.3) && isInSecondArm('experiment-b', subject, 0.3)) both += 1;
    }
    const chiSquare = tenths.reduce((sum, count) => sum + (count - 2_000) ** 2 / 2_000, 0);
    expect(chiSquareSf(chiSquare, 9)).toBeGreaterThan(0.001);
    // 9 % of 20,000, give or take four standard deviations.
    expect(Math.abs(both - 1_800)).toBeLessThan(4 * Math.sqrt(20_000 * 0.09 * 0.91));
  });
});
