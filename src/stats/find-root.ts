/**
 * The x between `low` and `high` with f(x) = 0, for a continuous f of different signs there, by Brent's method (1973):
 * interpolation while it converges, halving where it does not. It never leaves the bracket.
 *
 * @param tolerance absolute; what doubles can tell apart is added
 * @throws RangeError when f does not change its sign
 */
export function findRoot(f: (x: number) => number, low: number, high: number, tolerance = 1e-12): number {
  // b is the best point so far, a the one before, c the other end of the bracket.
  let [a, b, c] = [low, high, low];
  let [fa, fb] = [f(a), f(b)];
  if (fa === 0) return a;
  if (fb === 0) return b;
  if (Number.isNaN(fa) || Number.isNaN(fb) || fa > 0 === fb > 0)
    throw new RangeError(`no change of sign between ${low} and ${high}`);
  let fc = fa;
  let step = b - a;
  let before = step;
  for (let i = 0; i < 300; i++) {
    if (fb > 0 === fc > 0) {
      [c, fc] = [a, fa];
      step = b - a;
      before = step;
    }
    if (Math.abs(fc) < Math.abs(fb)) {
      [a, b, c] = [b, c, b];
      [fa, fb, fc] = [fb, fc, fb];
    }
    const enough = 2 * Number.EPSILON * Math.abs(b) + tolerance / 2;
    const half = (c - b) / 2;
    if (Math.abs(half) <= enough || fb === 0) return b;
    const next = Math.abs(before) < enough || Math.abs(fa) <= Math.abs(fb) ? null : interpolated(a, b, c, fa, fb, fc);
    if (
      next !== null &&
      2 * Math.abs(next) < Math.min(3 * Math.abs(half) - enough, Math.abs(before)) &&
      next * half > 0
    ) {
      before = step;
      step = next;
    } else {
      step = half;
      before = half;
    }
    [a, fa] = [b, fb];
    b += Math.abs(step) > enough ? step : Math.sign(half) * enough;
    fb = f(b);
  }
  return b;
}

/** The step from b to the zero of the line through two points, or of the inverse parabola through three. */
function interpolated(a: number, b: number, c: number, fa: number, fb: number, fc: number): number {
  const s = fb / fa;
  if (a === c) return -((c - b) * s) / (1 - s);
  const [q, r] = [fa / fc, fb / fc];
  return -(s * ((c - b) * q * (q - r) - (b - a) * (r - 1))) / ((q - 1) * (r - 1) * (s - 1));
}

/** Goes from `start` in steps that double until f changes its sign: the bracket for `findRoot`. */
export function bracketRoot(f: (x: number) => number, start: number, step: number): [number, number] {
  const sign = f(start) > 0;
  let near = start;
  for (let i = 0; i < 200; i++) {
    const far = start + step * 2 ** i;
    if (f(far) > 0 !== sign) return [near, far];
    near = far;
  }
  throw new RangeError(`no change of sign from ${start} in steps of ${step}`);
}
