import { chiSquareSf } from './chi-square.js';

/** Below this p the split is not the one that was ordered, and no outcome of the experiment can be trusted. */
const SAMPLE_RATIO_ALARM = 0.001;

export interface SampleRatio {
  readonly chiSquare: number;
  readonly p: number;
  /** p < SAMPLE_RATIO_ALARM */
  readonly mismatch: boolean;
}

/**
 * Pearson's chi-square of observed subjects per arm against the shares they were to get (Fabijan et al. 2019), without
 * continuity correction. Shares need not sum to 1. Nobody observed: p = 1.
 *
 * @throws RangeError for fewer than two arms, unequal lengths, or a share that is not positive
 */
export function sampleRatioTest(observed: readonly number[], shares: readonly number[]): SampleRatio {
  if (observed.length !== shares.length || observed.length < 2)
    throw new RangeError('a sample ratio needs one share per arm and at least two arms');
  if (!shares.every((share) => share > 0 && Number.isFinite(share))) throw new RangeError('shares are positive');
  const total = observed.reduce((sum, count) => sum + count, 0);
  const whole = shares.reduce((sum, share) => sum + share, 0);
  if (total === 0) return { chiSquare: 0, p: 1, mismatch: false };
  const chiSquare = observed.reduce((sum, count, arm) => {
    const expected = (total * (shares[arm] as number)) / whole;
    return sum + (count - expected) ** 2 / expected;
  }, 0);
  const p = chiSquareSf(chiSquare, observed.length - 1);
  return { chiSquare, p, mismatch: p < SAMPLE_RATIO_ALARM };
}
