import { binomialCdf, binomialUpper } from './binomial.js';

export interface McNemar {
  /** two-sided, exact: twice the smaller tail of Binomial(b + c, ½), at most 1 */
  readonly p: number;
  /** one-sided: chance of b or more out of b + c, small when the candidate is better */
  readonly pBetter: number;
  /** two-sided, the point at hand counted half (Fagerland, Lydersen and Laake 2013): less conservative */
  readonly midP: number;
}

/**
 * McNemar's test of paired answers, exact (McNemar 1947): only rows on which the two differ count, and without a
 * difference each is a toss of a coin. No such rows: p = 1.
 *
 * @param b rows only the candidate got right
 * @param c rows only the champion got right
 * @throws RangeError for counts that are not whole numbers >= 0
 */
export function exactMcNemar(b: number, c: number): McNemar {
  const n = b + c;
  if (n === 0) return { p: 1, pBetter: 1, midP: 1 };
  const fewer = binomialCdf({ n, x: Math.min(b, c) }, 0.5);
  const pBetter = binomialUpper({ n, x: b }, 0.5);
  const at = fewer - (Math.min(b, c) === 0 ? 0 : binomialCdf({ n, x: Math.min(b, c) - 1 }, 0.5));
  const midP = 2 * fewer - at;
  return { p: Math.min(1, 2 * fewer), pBetter, midP: Math.min(1, midP) };
}
