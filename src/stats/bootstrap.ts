import { normalCdf, normalIsf, normalQuantile } from './normal.js';
import type { Random } from './random.js';
import type { Limits } from './score-limits.js';

/** An estimate from one (re)sample; `se` where the studentised interval is wanted. */
export interface Estimate {
  readonly value: number;
  readonly se?: number;
}

export interface BootstrapInput<S> {
  /** whole subjects: what one person did stays together */
  readonly champion: readonly S[];
  readonly challenger: readonly S[];
  readonly estimate: (champion: readonly S[], challenger: readonly S[]) => Estimate;
  /** resamples, at least 100; 2000 unless said otherwise */
  readonly replicates?: number;
  /** the same generator and seed give the same interval */
  readonly random: Random;
  /** two-sided, 0.95 unless said otherwise */
  readonly level?: number;
}

export interface Bootstrap {
  /** of the samples as they are */
  readonly value: number;
  /** standard deviation of the resampled values */
  readonly se: number;
  /** mean of the resampled values less `value` */
  readonly bias: number;
  /** quantiles of the resampled values (Efron 1979) */
  readonly percentile: Limits;
  /** corrected for bias and skewness (BCa: Efron 1987) */
  readonly bca: Limits;
  /** from (value* − value)/se*; the most accurate where a standard error exists (Hall 1988); null where none does */
  readonly studentised: Limits | null;
  /** resamples whose estimate was not a finite number, left out of everything */
  readonly unusable: number;
}

/**
 * Intervals for any difference of two arms, by drawing each arm's subjects anew with replacement.
 *
 * @throws RangeError for fewer than two subjects in an arm, an estimate that is not a finite number, or when more than a
 * tenth of the resamples give none
 */
export function bootstrap<S>(input: BootstrapInput<S>): Bootstrap {
  const { champion, challenger, estimate, replicates = 2000, random, level = 0.95 } = input;
  if (champion.length < 2 || challenger.length < 2) throw new RangeError('each arm needs at least two subjects');
  if (!(replicates >= 100 && level > 0 && level < 1))
    throw new RangeError(`no interval of ${level} from ${replicates}`);
  const { value, se } = estimate(champion, challenger);
  if (!Number.isFinite(value)) throw new RangeError(`an estimate is a finite number, not ${value}`);
  const values: number[] = [];
  const pivots: number[] = [];
  for (let i = 0; i < replicates; i++) {
    const again = estimate(drawAnew(champion, random), drawAnew(challenger, random));
    if (!Number.isFinite(again.value)) continue;
    values.push(again.value);
    if (again.se !== undefined && again.se > 0) pivots.push((again.value - value) / again.se);
  }
  if (values.length < 0.9 * replicates) throw new RangeError('more than a tenth of the resamples have no estimate');
  values.sort((a, b) => a - b);
  pivots.sort((a, b) => a - b);
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const squares = values.reduce((sum, v) => sum + (v - mean) ** 2, 0);
  const tail = (1 - level) / 2;
  const [low, high] = bcaTails(input, value, values, tail);
  const studentised =
    se !== undefined && pivots.length >= 0.9 * replicates
      ? { lower: value - quantile(pivots, 1 - tail) * se, upper: value - quantile(pivots, tail) * se }
      : null;
  return {
    ...{ value, se: Math.sqrt(squares / (values.length - 1)), bias: mean - value },
    percentile: { lower: quantile(values, tail), upper: quantile(values, 1 - tail) },
    bca: { lower: quantile(values, low), upper: quantile(values, high) },
    ...{ studentised, unusable: replicates - values.length },
  };
}

function drawAnew<S>(subjects: readonly S[], random: Random): S[] {
  return subjects.map(() => subjects[Math.floor(random() * subjects.length)] as S);
}

/** Which quantiles of the resampled values the BCa interval takes: bias from their median, skewness by the jackknife. */
function bcaTails<S>(
  { champion, challenger, estimate }: BootstrapInput<S>,
  value: number,
  values: readonly number[],
  tail: number,
): [number, number] {
  // Ties are split, so that a value that equals the estimate speaks for neither side.
  const below = values.filter((v) => v < value).length + values.filter((v) => v === value).length / 2;
  const bias = normalQuantile(Math.min(1 - 0.5 / values.length, Math.max(0.5 / values.length, below / values.length)));
  const without = <T>(list: readonly T[], i: number) => [...list.slice(0, i), ...list.slice(i + 1)];
  let [squares, cubes] = [0, 0];
  // Two samples: the influence of a subject is relative to its own arm's mean and size.
  for (const left of [
    champion.map((_, i) => estimate(without(champion, i), challenger).value),
    challenger.map((_, i) => estimate(champion, without(challenger, i)).value),
  ]) {
    const mean = left.reduce((sum, v) => sum + v, 0) / left.length;
    for (const v of left) {
      const influence = ((left.length - 1) * (mean - v)) / left.length;
      squares += influence ** 2;
      cubes += influence ** 3;
    }
  }
  const acceleration = squares > 0 ? cubes / (6 * squares ** 1.5) : 0;
  const moved = (z: number) => normalCdf(bias + (bias + z) / (1 - acceleration * (bias + z)));
  return [moved(-normalIsf(tail)), moved(normalIsf(tail))];
}

/** Quantile of ascending values, in between by straight lines. */
function quantile(ascending: readonly number[], p: number): number {
  const at = Math.min(1, Math.max(0, p)) * (ascending.length - 1);
  const below = Math.floor(at);
  const [a, b] = [ascending[below] as number, ascending[Math.min(below + 1, ascending.length - 1)] as number];
  return a + (at - below) * (b - a);
}
