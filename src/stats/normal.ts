/**
 * The standard normal distribution. Both tails are computed directly, never as `1 - other tail`, so that a p-value of
 * 1e-200 is as accurate (about 1e-14 relative) as one of 0.2.
 */

const INV_SQRT_2PI = 0.3989422804014327;
const LN_SQRT_2PI = 0.9189385332046728;

/** Below this |z| the series is used, above it the continued fraction; both are good to a few ulp where they meet. */
const SERIES_LIMIT = 1.5;

/** The density at z. The argument of `exp` is split because squaring a large z first costs |z|^2/2 ulp in the result. */
export function normalDensity(z: number): number {
  const coarse = Math.round(z * 16) / 16;
  const rest = (z - coarse) * (z + coarse);
  return INV_SQRT_2PI * Math.exp(-0.5 * coarse * coarse) * Math.exp(-0.5 * rest);
}

/** P(0 < Z < z) for small z >= 0: density times z + z^3/3 + z^5/15 + …, all terms positive. */
function central(z: number): number {
  let term = z;
  let sum = z;
  for (let k = 3; term > sum * 1e-17; k += 2) {
    term *= (z * z) / k;
    sum += term;
  }
  return sum * normalDensity(z);
}

/** Mills ratio (upper tail divided by density) for z >= SERIES_LIMIT: Laplace's continued fraction, from the inside. */
function mills(z: number): number {
  let t = z;
  for (let k = Math.ceil(20 + 360 / (z * z)); k > 0; k--) t = z + k / t;
  return 1 / t;
}

/** P(Z > z). */
export function normalSf(z: number): number {
  if (Number.isNaN(z)) return Number.NaN;
  if (z < 0) return normalCdf(-z);
  if (z === Number.POSITIVE_INFINITY) return 0;
  return z < SERIES_LIMIT ? 0.5 - central(z) : normalDensity(z) * mills(z);
}

/** P(Z <= z). */
export function normalCdf(z: number): number {
  if (Number.isNaN(z)) return Number.NaN;
  if (z < 0) return normalSf(-z);
  if (z === Number.POSITIVE_INFINITY) return 1;
  return z < SERIES_LIMIT ? 0.5 + central(z) : 1 - normalSf(z);
}

/** P(|Z| > |z|), the two-sided p-value of z. */
export function twoSidedP(z: number): number {
  return Math.min(1, 2 * normalSf(Math.abs(z)));
}

/**
 * The z with P(Z > z) = p: the upper-tail inverse. Use it for small p; `normalQuantile(1 - p)` would lose the digits.
 * @throws RangeError unless 0 <= p <= 1
 */
export function normalIsf(p: number): number {
  if (!(p >= 0 && p <= 1)) throw new RangeError(`a probability is between 0 and 1, not ${p}`);
  if (p > 0.5) return -normalIsf(1 - p); // exact: 1 - p has no rounding error for p in [0.5, 1]
  if (p === 0) return Number.POSITIVE_INFINITY;
  return p > 0.1 ? inverseNearCentre(0.5 - p) : inverseInTail(p);
}

/** The z with P(Z <= z) = p. @throws RangeError unless 0 <= p <= 1 */
export function normalQuantile(p: number): number {
  const z = normalIsf(p);
  return z === 0 ? 0 : -z;
}

/** Solves P(0 < Z < z) = area for area <= 0.4, by Halley's steps on the area itself: relatively accurate near 0 too. */
function inverseNearCentre(area: number): number {
  let z = firstGuess(0.5 - area);
  for (let i = 0; i < 4; i++) {
    const newton = (central(z) - area) / normalDensity(z);
    z -= newton / (1 + 0.5 * z * newton);
  }
  return area === 0 ? 0 : z;
}

/** Solves ln P(Z > z) = ln p. In logarithms the tail is nearly a parabola, so that Halley's steps work down to 5e-324. */
function inverseInTail(p: number): number {
  const target = Math.log(p);
  let z = firstGuess(p);
  for (let i = 0; i < 4; i++) {
    const ratio = z < SERIES_LIMIT ? normalSf(z) / normalDensity(z) : mills(z);
    const logSf = -0.5 * z * z - LN_SQRT_2PI + Math.log(ratio);
    const hazard = 1 / ratio;
    const newton = (target - logSf) / -hazard;
    z += newton / (1 - 0.5 * newton * (z - hazard));
  }
  return z;
}

/** Hastings' rational approximation (Abramowitz and Stegun 26.2.23), within 4.5e-4 for 0 < p <= 0.5: a start only. */
function firstGuess(p: number): number {
  const t = Math.sqrt(-2 * Math.log(p));
  const top = 2.515517 + t * (0.802853 + t * 0.010328);
  const bottom = 1 + t * (1.432788 + t * (0.189269 + t * 0.001308));
  return Math.max(0, t - top / bottom);
}
