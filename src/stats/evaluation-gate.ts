/** Fewer golden rows than this decide nothing. */
const MIN_GOLDEN_ROWS = 200;

export interface PairedScores {
  /** golden rows answered by both */
  readonly n: number;
  /** rows only the candidate got right */
  readonly b: number;
  /** rows only the champion got right */
  readonly c: number;
}

export interface EvaluationGate {
  /** false with fewer than MIN_GOLDEN_ROWS rows: refused, whatever the scores */
  readonly enough: boolean;
  readonly passed: boolean;
  /** (b−c)/n, candidate minus champion */
  readonly d: number;
  /** √(b+c−(b−c)²/n)/n */
  readonly se: number;
  /** d − 1.645·se, the one-sided 95 % lower limit */
  readonly lower: number;
}

/**
 * Is the candidate not worse than the champion by more than `margin`? Both answer the same rows, so only the rows on
 * which they differ carry information (McNemar 1947).
 *
 * @param margin non-inferiority margin, absolute, >= 0
 * @throws RangeError for counts that are not whole numbers, or b + c > n
 */
export function evaluationGate({ n, b, c }: PairedScores, margin: number): EvaluationGate {
  if (![n, b, c].every((count) => Number.isSafeInteger(count) && count >= 0) || b + c > n)
    throw new RangeError(`no such paired scores: n = ${n}, b = ${b}, c = ${c}`);
  if (n === 0) return { enough: false, passed: false, d: 0, se: 0, lower: 0 };
  const d = (b - c) / n;
  const se = Math.sqrt(b + c - (b - c) ** 2 / n) / n;
  const lower = d - 1.645 * se;
  const enough = n >= MIN_GOLDEN_ROWS;
  return { enough, passed: enough && lower >= -margin, d, se, lower };
}
