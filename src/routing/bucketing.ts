import { append, appendDigits, OFFSET } from './fnv1a.js';

const BUCKETS = 10_000;

/**
 * A number in [0, 1) for a value, uniform over values and independent between seeds: FNV-1a as GrowthBook's SDKs publish
 * it. Version 2 has 10,000 buckets and no bias between seeds; version 1 has 1,000. Null for a version that does not exist.
 */
export function bucket(seed: string, value: string, version = 2): number | null {
  if (version === 2) return bucketNumber(seed, value) / BUCKETS;
  if (version === 1) return ((append(append(OFFSET, value), seed) >>> 0) % 1_000) / 1_000;
  return null;
}

let lastSeed = '';
let lastSeedHash = OFFSET;

/** The bucket of version 2, from 0 to 9,999. Builds no strings: it is asked for every request. */
export function bucketNumber(seed: string, value: string): number {
  if (seed !== lastSeed) {
    lastSeedHash = append(OFFSET, seed);
    lastSeed = seed;
  }
  return (appendDigits(OFFSET, append(lastSeedHash, value) >>> 0) >>> 0) % BUCKETS;
}

/** From, inclusive, and to, exclusive. */
export type BucketRange = readonly [number, number];

/**
 * The range of buckets of each of `count` variations. Each starts where the weights before it end and takes `coverage` of
 * its own weight, so that a growing coverage never moves a value from one variation to another.
 *
 * @param coverage share of values in any variation; cut to [0, 1]
 * @param weights one for each variation, together 1 (± 0.01); anything else stands for equal weights
 */
export function getBucketRange(count: number, coverage: number, weights: readonly number[] | null): BucketRange[] {
  const covered = Math.min(1, Math.max(0, coverage));
  const sum = weights?.reduce((total, weight) => total + weight, 0) ?? 0;
  const usable = weights !== null && weights.length === count && sum >= 0.99 && sum <= 1.01;
  const ranges: BucketRange[] = [];
  let start = 0;
  for (let index = 0; index < count; index++) {
    const weight = usable ? weights[index]! : 1 / count;
    ranges.push([start, start + covered * weight]);
    start += weight;
  }
  return ranges;
}

/** Index of the variation whose range holds the bucket; -1 for none. */
export function chooseVariation(n: number, ranges: readonly BucketRange[]): number {
  return ranges.findIndex(([from, to]) => n >= from && n < to);
}
