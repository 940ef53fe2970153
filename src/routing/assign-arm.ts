import { bucket, chooseVariation, getBucketRange } from './bucketing.js';

/**
 * Which arm a subject belongs to: a pure function of experiment, subject and share, the same in every replica, order and
 * restart. Bucketing is GrowthBook's, hash version 2, with the experiment's id as seed.
 * Returns true for the second arm (challenger, or holdback in a bake).
 */
export function isInSecondArm(experimentId: string, subject: string, share: number): boolean {
  // The second arm takes the lowest buckets: a subject's bucket does not depend on the share.
  return chooseVariation(bucket(experimentId, subject)!, getBucketRange(2, 1, [share, 1 - share])) === 0;
}
