import { bucketNumber, getBucketRange } from './bucketing.js';

/** The end of the second arm's buckets, by share: the same few shares are asked for again and again. */
const ends = new Map<number, number>();
let lastShare = Number.NaN;
let lastEnd = 0;

/**
 * Which arm a subject belongs to: a pure function of experiment, subject and share, the same in every replica, order and
 * restart. Bucketing is GrowthBook's, hash version 2, with the experiment's id as seed.
 * Returns true for the second arm (challenger, or holdback in a bake).
 */
export function isInSecondArm(experimentId: string, subject: string, share: number): boolean {
  if (share !== lastShare) {
    lastEnd = endOf(share);
    lastShare = share;
  }
  return bucketNumber(experimentId, subject) < lastEnd;
}

/**
 * The first bucket after those of the second arm, which takes the lowest: a subject's bucket does not depend on the share.
 * It is the range's end as GrowthBook computes it, in whole buckets, so that both sides round alike.
 */
function endOf(share: number): number {
  const known = ends.get(share);
  if (known !== undefined) return known;
  const [, to] = getBucketRange(2, 1, [share, 1 - share])[0]!;
  let end = Math.max(0, Math.floor(to * 10_000) - 2);
  while (end < 10_000 && end / 10_000 < to) end += 1;
  if (ends.size > 1_000) ends.clear();
  ends.set(share, end);
  return end;
}
