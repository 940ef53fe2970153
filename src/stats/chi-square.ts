import { bracketRoot, findRoot } from './find-root.js';
import { normalIsf, normalSf } from './normal.js';

/**
 * P(X > x) for a chi-square variable with `df` degrees of freedom (a positive integer).
 *
 * For whole degrees of freedom the upper tail is a finite sum of positive terms, so nothing cancels however far out x
 * is: even df, a Poisson sum; odd df, twice the normal tail plus a sum over half-integers. The terms are kept as
 * logarithms because exp(-x/2) alone underflows from x = 1490 on, where the tail of a large df is still ordinary.
 *
 * @throws RangeError for df that is not a positive integer, or a negative or non-finite x
 */
export function chiSquareSf(x: number, df: number): number {
  if (!Number.isInteger(df) || df < 1) throw new RangeError(`degrees of freedom are a positive integer, not ${df}`);
  if (!(x >= 0) || x === Number.POSITIVE_INFINITY) throw new RangeError(`chi-square is finite and >= 0, not ${x}`);
  if (x === 0) return 1;
  const half = x / 2;
  const odd = df % 2 === 1;
  let sum = odd ? 2 * normalSf(Math.sqrt(x)) : Math.exp(-half);
  // Term k is half^k e^-half / Γ(k+1), for k = 1, 2, … (even df) or 1/2, 3/2, … (odd df), up to df/2 - 1.
  let logTerm = odd ? 0.5 * Math.log(half) - half - Math.log(Math.sqrt(Math.PI) / 2) : Math.log(half) - half;
  for (let k = odd ? 0.5 : 1; k <= df / 2 - 1; k++) {
    sum += Math.exp(logTerm);
    logTerm += Math.log(half / (k + 1));
  }
  return Math.min(1, sum);
}

/**
 * The x with P(X > x) = q, 0 < q <= 1: the upper-tail inverse.
 * @throws RangeError for df that is not a positive integer, or a q outside
 */
export function chiSquareIsf(q: number, df: number): number {
  if (!(q > 0 && q <= 1)) throw new RangeError(`an upper tail is above 0 and at most 1, not ${q}`);
  if (q === 1) return 0;
  // One degree of freedom: the square of a normal variable, also where the tail is nearly everything.
  if (df === 1) return normalIsf(q / 2) ** 2;
  // Wilson and Hilferty (1931) say where to begin; the tail falls from there on both sides.
  const spread = 2 / (9 * df);
  const start = df * Math.max(0.05, 1 - spread + normalIsf(q) * Math.sqrt(spread)) ** 3;
  const short = (x: number) => Math.log(q) - Math.log(chiSquareSf(Math.max(0, x), df) || 5e-324);
  const up = short(start) < 0;
  const [low, high] = up ? bracketRoot(short, start, 0.1 * Math.sqrt(df)) : [0, start];
  return findRoot(short, low, high, 1e-14 * Math.max(start, high));
}
