import { normalIsf } from './normal.js';

/** Numbers in [0, 1), evenly spread. */
export type Random = () => number;

/**
 * A small generator that gives the same numbers for the same seed everywhere (mulberry32 by T. Ettinger, public domain;
 * 2^32 numbers before it repeats). Simulations and resampling, never secrets.
 */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A standard normal number, by the inverse of the distribution function. */
export function drawNormal(random: Random): number {
  return normalIsf(random() || 2 ** -33);
}

/** A number from the gamma distribution with this shape > 0 and scale 1 (Marsaglia and Tsang 2000). */
export function drawGamma(random: Random, shape: number): number {
  if (!(shape > 0)) throw new RangeError(`a gamma distribution has a shape above 0, not ${shape}`);
  if (shape < 1) return drawGamma(random, shape + 1) * (random() || 2 ** -33) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = drawNormal(random);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(random() || 2 ** -33) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** A number from the beta distribution with parameters a, b > 0. */
export function drawBeta(random: Random, a: number, b: number): number {
  const x = drawGamma(random, a);
  const y = drawGamma(random, b);
  return x + y === 0 ? 0.5 : x / (x + y);
}
