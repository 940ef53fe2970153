import { findRoot } from './find-root.js';
import { deviance, stirlingError } from './stirling.js';

/** Stands for 0 where one divides by it. */
const TINY = 1e-300;

/** @throws RangeError for parameters that make no distribution */
function check(a: number, b: number): void {
  if (!(a > 0 && b > 0 && a < Infinity && b < Infinity))
    throw new RangeError(`a beta distribution has parameters above 0, not ${a} and ${b}`);
}

/** x^a·y^b / B(a, b) for x + y = 1, by Loader's saddle point (2000): no large logarithms are subtracted. */
function kernel(a: number, b: number, x: number, y: number): number {
  const n = a + b;
  // a − n·x is n·y − b: taken from whichever of x and y is small, and so known to its last digit.
  const off = x < y ? a - n * x : n * y - b;
  const exponent =
    stirlingError(n) - stirlingError(a) - stirlingError(b) - deviance(a, n * x, off) - deviance(b, n * y, -off);
  return Math.sqrt((a * b) / (2 * Math.PI * n)) * Math.exp(exponent);
}

/**
 * I_x(a, b) over the kernel: the even part of the continued fraction DLMF 8.17.22 (as Didonato and Morris 1992 write it),
 * evaluated after Lentz; fast for x <= (a+1)/(a+b+2). The plain fraction starts with 1 − (a+b)x/(a+1) and loses half of its
 * digits for a of a million and x near 1; here that difference is a·y − b·x, which keeps them.
 */
function fraction(a: number, b: number, x: number, y: number): number {
  const off = a * y - b * x + 1;
  let f = (a * off) / (a + 1) || TINY;
  let c = f;
  let d = 0;
  for (let m = 1; m < 200_000; m++) {
    const odd = a + 2 * m - 1;
    const numerator = (((((a + m - 1) * (a + b + m - 1)) / odd) * m * (b - m)) / odd) * x * x;
    const term = m + (m * (b - m) * x) / odd + ((a + m) * (off + m * (2 - x))) / (a + 2 * m + 1);
    d = 1 / (term + numerator * d || TINY);
    c = term + numerator / c || TINY;
    const change = c * d;
    f *= change;
    if (Math.abs(change - 1) < 3e-16) break;
  }
  return 1 / f;
}

function tails(a: number, b: number, x: number, y: number): { lower: number; upper: number } {
  check(a, b);
  if (!(x >= 0 && y >= 0)) throw new RangeError(`a beta variable is between 0 and 1, not ${x}`);
  if (x === 0) return { lower: 0, upper: 1 };
  if (y === 0) return { lower: 1, upper: 0 };
  const height = kernel(a, b, x, y);
  if (x <= (a + 1) / (a + b + 2)) {
    const lower = Math.min(1, height * fraction(a, b, x, y));
    return { lower, upper: 1 - lower };
  }
  const upper = Math.min(1, height * fraction(b, a, y, x));
  return { lower: 1 - upper, upper };
}

/**
 * P(X <= x) of the beta distribution with parameters a, b > 0: the regularised incomplete beta function I_x(a, b). Either
 * tail is computed directly where it is the small one, so that both keep about 13 digits however small they are.
 *
 * @param y 1 − x, to be given where it is known better than by subtracting
 * @throws RangeError for parameters that are not above 0, or x outside [0, 1]
 */
export function betaCdf(x: number, a: number, b: number, y: number = 1 - x): number {
  return tails(a, b, x, y).lower;
}

/** P(X > x), likewise. */
export function betaSf(x: number, a: number, b: number, y: number = 1 - x): number {
  return tails(a, b, x, y).upper;
}

/** Density at 0 < x < 1. */
export function betaDensity(x: number, a: number, b: number, y: number = 1 - x): number {
  check(a, b);
  return kernel(a, b, x, y) / (x * y);
}

/**
 * The x with P(X <= x) = p, 0 <= p <= 1. It is sought as ln(x/(1−x)), where quantiles of any size lie at moderate
 * distances from 0.
 */
export function betaQuantile(p: number, a: number, b: number): number {
  check(a, b);
  if (!(p >= 0 && p <= 1)) throw new RangeError(`a probability is between 0 and 1, not ${p}`);
  if (p === 0 || p === 1) return p;
  const wanted = Math.log(p) - Math.log1p(-p);
  const short = (logit: number) => {
    const { lower, upper } = tails(a, b, 1 / (1 + Math.exp(-logit)), 1 / (1 + Math.exp(logit)));
    return Math.log(lower || 1e-320) - Math.log(upper || 1e-320) - wanted;
  };
  const logit = findRoot(short, -740, 740, 1e-15);
  return 1 / (1 + Math.exp(-logit));
}
