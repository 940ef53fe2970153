export interface KolmogorovSmirnov {
  /** largest distance of the two distribution functions, in [0, 1] */
  readonly D: number;
  /** D·n·m, a whole number */
  readonly numerator: number;
  readonly n: number;
  readonly m: number;
  /** P(D this large by chance): exact where that is quick, else Stephens' approximation */
  readonly p: number;
}

/** Steps of the exact method that are still quick (some 10 ms). */
const EXACT_STEPS = 1e6;

/**
 * Two-sample Kolmogorov–Smirnov test. Equal values of both samples are all passed before the distributions are compared:
 * in between there is no distance. With ties the p-value is an upper limit.
 *
 * @throws RangeError for an empty sample or a value that is not a number
 */
export function kolmogorovSmirnov(first: readonly number[], second: readonly number[]): KolmogorovSmirnov {
  const [n, m] = [first.length, second.length];
  if (n === 0 || m === 0) throw new RangeError('two samples are compared, and one is empty');
  const [x, y] = [Float64Array.from(first).sort(), Float64Array.from(second).sort()];
  if (Number.isNaN(x[n - 1]) || Number.isNaN(y[m - 1])) throw new RangeError('a value is a number');
  let [i, j, numerator] = [0, 0, 0];
  while (i < n && j < m) {
    const value = Math.min(x[i] as number, y[j] as number);
    while (i < n && x[i] === value) i += 1;
    while (j < m && y[j] === value) j += 1;
    numerator = Math.max(numerator, Math.abs(i * m - j * n));
  }
  const D = numerator / (n * m);
  const quick = Math.min(n, m) * (2 * D * Math.max(n, m) + 1) <= EXACT_STEPS;
  return { D, numerator, n, m, p: quick ? exactKsP(numerator, n, m) : stephensKsP(D, n, m) };
}

/**
 * Exact P(D·n·m >= numerator) for continuous distributions: the order of the pooled sample is a random path from (0, 0)
 * to (n, m), and what is asked is the chance that it gets so far from the diagonal. Chances of leaving are added up, so
 * that small ones keep their digits.
 */
export function exactKsP(numerator: number, n: number, m: number): number {
  if (numerator <= 0) return 1;
  let left = 0;
  /** chance of being at (i, j) without having left the band before, in this row i and in the next */
  let row = new Float64Array(m + 1);
  let next = new Float64Array(m + 1);
  row[0] = 1;
  let [from, to] = [0, 0];
  for (let i = 0; i <= n; i++) {
    let [nextFrom, nextTo] = [m, -1];
    for (let j = from; j <= m && (j <= to || row[j] !== 0); j++) {
      const chance = row[j] as number;
      row[j] = 0;
      if (chance === 0) continue;
      if (Math.abs(i * m - j * n) >= numerator) {
        left += chance;
        continue;
      }
      const remaining = n - i + m - j;
      if (j < m) row[j + 1]! += (chance * (m - j)) / remaining;
      if (i < n) {
        next[j] = (chance * (n - i)) / remaining;
        nextFrom = Math.min(nextFrom, j);
        nextTo = j;
      }
    }
    [row, next] = [next, row];
    [from, to] = [nextFrom, nextTo];
  }
  return Math.min(1, left);
}

/** The limit for large samples, Q(√(nm/(n+m))·D) (Kolmogorov 1933, Smirnov 1939). */
export function limitKsP(D: number, n: number, m: number): number {
  return kolmogorovTail(Math.sqrt((n * m) / (n + m)) * D);
}

/** The same at (√N + 0.12 + 0.11/√N)·D, N = nm/(n+m) (Stephens 1970): good from a handful of values on. */
export function stephensKsP(D: number, n: number, m: number): number {
  const root = Math.sqrt((n * m) / (n + m));
  return kolmogorovTail((root + 0.12 + 0.11 / root) * D);
}

/** Q(λ) = 2·Σ (−1)^(k−1)·exp(−2k²λ²); for small λ by the other series of the theta function, which converges there. */
function kolmogorovTail(lambda: number): number {
  if (lambda <= 0) return 1;
  if (lambda < 1.18) {
    const t = Math.exp((-Math.PI * Math.PI) / (8 * lambda * lambda));
    const sum = t + t ** 9 + t ** 25 + t ** 49;
    return 1 - (Math.sqrt(2 * Math.PI) / lambda) * sum;
  }
  let sum = 0;
  for (let k = 1; k < 20; k++) sum += (k % 2 === 1 ? 2 : -2) * Math.exp(-2 * k * k * lambda * lambda);
  return Math.min(1, Math.max(0, sum));
}
