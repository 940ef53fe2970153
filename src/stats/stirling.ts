/**
 * ln Γ(x+1) less Stirling's (x+½)·ln x − x + ½ ln 2π, for x > 0: a small number, known to 1e-17 where ln Γ itself would be
 * a large one with its last digits gone. Series from 12 on, below it the recurrence up to there.
 */
export function stirlingError(x: number): number {
  let sum = 0;
  let at = x;
  for (; at < 12; at += 1) sum += (at + 0.5) * Math.log1p(1 / at) - 1;
  const s = 1 / (at * at);
  const series =
    1 / 12 - s * (1 / 360 - s * (1 / 1260 - s * (1 / 1680 - s * (1 / 1188 - s * (691 / 360360 - s * (1 / 156))))));
  return sum + series / at;
}

/**
 * x·ln(x/m) + m − x for x >= 0, m > 0, without cancellation where x is near m (Loader 2000).
 *
 * @param d x − m, where it is known better than by subtracting
 */
export function deviance(x: number, m: number, d: number = x - m): number {
  if (x === 0) return m;
  if (Math.abs(d) < 0.1 * (x + m)) {
    const v = d / (x + m);
    let sum = d * v;
    let term = 2 * x * v;
    for (let j = 1; j < 1000; j++) {
      term *= v * v;
      const next = sum + term / (2 * j + 1);
      if (next === sum) break;
      sum = next;
    }
    return sum;
  }
  return x * Math.log(x / m) - d;
}
