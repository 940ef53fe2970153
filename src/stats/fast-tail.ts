import { normalDensity, normalSf } from './normal.js';

/** Terms of the expansion; the next ones are below 1e-16. */
const TERMS = 36;

/**
 * Chebyshev coefficients of (1 + z)·M(z) in t = (z − 3)/(z + 3), M = tail/density, for z >= 0: the device of Shepherd and
 * Laframboise (1981), with coefficients computed here from the accurate tail rather than printed.
 */
const coefficients = (() => {
  const nodes = 2 * TERMS;
  const values = Array.from({ length: nodes }, (_, j) => {
    const t = Math.cos((Math.PI * (j + 0.5)) / nodes);
    const z = (3 * (1 + t)) / (1 - t);
    return (1 + z) * (z > 30 ? farMills(z) : normalSf(z) / normalDensity(z));
  });
  return Float64Array.from({ length: TERMS }, (_, k) => {
    let sum = 0;
    values.forEach((value, j) => {
      sum += value * Math.cos((Math.PI * k * (j + 0.5)) / nodes);
    });
    return ((k === 0 ? 1 : 2) * sum) / nodes;
  });
})();

/** Where the density itself underflows: 1/z − 1/z³ + 3/z⁵ − …, right to 1e-16 from z = 30 on. */
function farMills(z: number): number {
  const s = 1 / (z * z);
  return (1 - s * (1 - 3 * s * (1 - 5 * s * (1 - 7 * s * (1 - 9 * s))))) / z;
}

/**
 * P(Z > z) / φ(z) for z >= 0, the Mills ratio, to about 1e-15: some 30 multiplications where the accurate tail has
 * hundreds of divisions. Integrals over a grid ask for it thousands of times.
 */
export function fastMills(z: number): number {
  const t = (z - 3) / (z + 3);
  const t2 = 2 * t;
  let next = 0;
  let current = 0;
  for (let k = TERMS - 1; k > 0; k--) {
    const value = (coefficients[k] as number) + t2 * current - next;
    next = current;
    current = value;
  }
  return ((coefficients[0] as number) + t * current - next) / (1 + z);
}
