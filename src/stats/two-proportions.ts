import { twoSidedP } from './normal.js';

/** Trials and successes of one arm: whole numbers, 0 <= x <= n. */
export interface Proportion {
  readonly n: number;
  readonly x: number;
}

export interface TwoProportionZ {
  /** false when an arm is empty, or when all trials of both arms ended alike; z is then 0 and p is 1 */
  readonly tested: boolean;
  /** p(challenger) − p(champion), in [-1, 1]; 0 when an arm is empty */
  readonly delta: number;
  /** positive when the challenger is better */
  readonly z: number;
  /** two-sided */
  readonly p: number;
  /** successes over trials of both arms together */
  readonly pooled: number;
  /** standard error of `delta` under "no difference" */
  readonly se: number;
}

/**
 * x1/n1 − x0/n0, over the common denominator. Subtracting two quotients turns 0.82 − 0.80 into 0.01999…; products of
 * counts are exact, so a difference equal to `min_effect` compares equal to it.
 */
export function differenceOfProportions(champion: Proportion, challenger: Proportion): number {
  return (challenger.x * champion.n - champion.x * challenger.n) / (champion.n * challenger.n);
}

/**
 * The textbook two-proportion z-test with pooled variance, one trial per subject.
 *
 * @throws RangeError for counts that are not whole numbers with 0 <= x <= n
 * @example twoProportionZ({ n: 25, x: 10 }, { n: 25, x: 15 }) // z = 1.41421356237, p = 0.15729920705
 */
export function twoProportionZ(champion: Proportion, challenger: Proportion): TwoProportionZ {
  checkProportion(champion);
  checkProportion(challenger);
  const n = champion.n + challenger.n;
  const x = champion.x + challenger.x;
  const pooled = n === 0 ? 0 : x / n;
  if (champion.n === 0 || challenger.n === 0) return { tested: false, delta: 0, z: 0, p: 1, pooled, se: 0 };
  const delta = differenceOfProportions(champion, challenger);
  if (x === 0 || x === n) return { tested: false, delta, z: 0, p: 1, pooled, se: 0 };
  const se = Math.sqrt((x / n) * ((n - x) / n) * (1 / champion.n + 1 / challenger.n));
  const z = delta / se;
  return { tested: true, delta, z, p: twoSidedP(z), pooled, se };
}

/** @throws RangeError for counts that are not whole numbers with 0 <= x <= n */
export function checkProportion({ n, x }: Proportion): void {
  if (!Number.isSafeInteger(n) || !Number.isSafeInteger(x) || x < 0 || x > n)
    throw new RangeError(`counts are whole numbers with 0 <= x <= n, not x = ${x}, n = ${n}`);
}
