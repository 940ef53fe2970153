import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type BucketRange, bucket, chooseVariation, getBucketRange } from './bucketing.js';

/** Made by another program, and not part of this repository. */
const REFERENCE = join(process.env.UNDERSTUDY_SHARED ?? '../shared', 'data/growthbook/cases.json');

interface Cases {
  hash: [seed: string, value: string, version: number, expected: number | null][];
  getBucketRange: [name: string, [count: number, coverage: number, weights: number[] | null], BucketRange[]][];
  chooseVariation: [name: string, n: number, BucketRange[], expected: number][];
}

describe.skipIf(!existsSync(REFERENCE))('the published cases of GrowthBook', () => {
  const cases = () => JSON.parse(readFileSync(REFERENCE, 'utf8')) as Cases;

  it('hash alike, in versions 1 and 2', () => {
    const { hash } = cases();
    expect(new Set(hash.map(([, , version]) => version))).toEqual(new Set([1, 2, 99]));
    for (const [seed, value, version, expected] of hash)
      expect([seed, value, version, bucket(seed, value, version)]).toEqual([seed, value, version, expected]);
  });

  it('divide the buckets alike', () => {
    const { getBucketRange: ranges } = cases();
    expect(ranges.length).toBeGreaterThan(5);
    // The cases are rounded: 0.2 × 0.2 is not 0.04 in floating point.
    const rounded = (all: BucketRange[]) => all.map((range) => range.map((edge) => Number(edge.toFixed(12))));
    for (const [name, [count, coverage, weights], expected] of ranges)
      expect([name, rounded(getBucketRange(count, coverage, weights))]).toEqual([name, expected]);
  });

  it('choose alike', () => {
    const { chooseVariation: choices } = cases();
    expect(choices.length).toBeGreaterThan(5);
    for (const [name, n, ranges, expected] of choices)
      expect([name, chooseVariation(n, ranges)]).toEqual([name, expected]);
  });
});

describe('bucketing', () => {
  it('gives the numbers that assignments already stored rest on', () => {
    expect(bucket('seed', 'a')).toBe(0.0505);
    expect(bucket('', 'a', 1)).toBe(0.22);
    expect(bucket('seed', 'a', 3)).toBeNull();
  });

  it('covers every bucket exactly once when everything is covered', () => {
    for (const share of [0.0001, 0.1, 0.25, 0.3, 0.5]) {
      const ranges = getBucketRange(2, 1, [share, 1 - share]);
      for (let n = 0; n < 10_000; n++) expect(chooseVariation(n / 10_000, ranges)).toBe(n / 10_000 < share ? 0 : 1);
    }
  });
});
