import { betaCdf, betaSf } from './beta.js';
import { bracketRoot, findRoot } from './find-root.js';
import { normalIsf } from './normal.js';

/**
 * P(T > t) for Student's t with `df` > 0 degrees of freedom, not necessarily a whole number (Welch's are not).
 *
 * @throws RangeError for df that is not above 0
 */
export function studentSf(t: number, df: number): number {
  if (!(df > 0)) throw new RangeError(`degrees of freedom are above 0, not ${df}`);
  if (Number.isNaN(t)) return Number.NaN;
  if (t < 0) return 1 - studentSf(-t, df);
  if (t === Infinity) return 0;
  const ratio = t / Math.sqrt(df);
  // Beyond 1e150 the square overflows; there the tail is a power of t to the last digit.
  if (ratio > 1e150) return studentSf(1e100 * Math.sqrt(df), df) * (1e100 / ratio) ** df;
  const square = ratio * ratio;
  const x = 1 / (1 + square);
  const y = square / (1 + square);
  // The smaller of the two complements is the exact one.
  return x < y ? 0.5 * betaCdf(x, df / 2, 0.5, y) : 0.5 * betaSf(y, 0.5, df / 2, x);
}

/** P(T <= t). */
export function studentCdf(t: number, df: number): number {
  return studentSf(-t, df);
}

/** P(|T| > |t|), the two-sided p-value. */
export function studentTwoSidedP(t: number, df: number): number {
  return Math.min(1, 2 * studentSf(Math.abs(t), df));
}

/**
 * The t with P(T > t) = p: the upper-tail inverse, for small p too.
 * @throws RangeError unless 0 <= p <= 1 and df > 0
 */
export function studentIsf(p: number, df: number): number {
  if (!(p >= 0 && p <= 1)) throw new RangeError(`a probability is between 0 and 1, not ${p}`);
  if (!(df > 0)) throw new RangeError(`degrees of freedom are above 0, not ${df}`);
  if (p > 0.5) return -studentIsf(1 - p, df);
  if (p === 0) return Number.POSITIVE_INFINITY;
  if (p === 0.5) return 0;
  // In ln t and ln p the tail is nearly a straight line for few degrees of freedom, and smooth for many.
  const start = Math.log(Math.max(normalIsf(p), 1e-8));
  if (p > 0.4) return findRoot((t) => 0.5 - p - (0.5 - studentSf(t, df)), 0, 4, 1e-16);
  const target = Math.log(p);
  const short = (logT: number) => target - Math.log(studentSf(Math.exp(logT), df) || 5e-324);
  const [low, high] = bracketRoot(short, start - 0.01, 0.1);
  return Math.exp(findRoot(short, low, high, 1e-15));
}

/** The t with P(T <= t) = p. */
export function studentQuantile(p: number, df: number): number {
  const t = studentIsf(p, df);
  return t === 0 ? 0 : -t;
}
