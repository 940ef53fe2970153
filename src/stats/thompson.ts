import { betaCdf, betaDensity } from './beta.js';
import { integrate } from './gauss-legendre.js';
import { drawBeta, type Random } from './random.js';

/** Beta posterior of an arm's positive share: 1 + positives, 1 + negatives with the flat prior. */
export interface Posterior {
  readonly a: number;
  readonly b: number;
}

/** The posterior after x positives among n outcomes, from a prior that is flat unless given. */
export function posteriorOf({ n, x }: { readonly n: number; readonly x: number }, prior = { a: 1, b: 1 }): Posterior {
  if (!(x >= 0 && n >= x)) throw new RangeError(`counts have 0 <= x <= n, not x = ${x}, n = ${n}`);
  return { a: prior.a + x, b: prior.b + n - x };
}

/** Standard deviations of an arm's posterior that are integrated over. */
const REACH = 10;
/** Pieces of 16 points between two of their ends. */
const PANELS = 6;

/**
 * P(arm i has the largest share), for every arm: ∫ f_i(x)·Π_{j≠i} F_j(x) dx, in the angle φ with x = sin²φ, where every
 * beta density is smooth and about equally wide (standard deviation ½/√(a+b)). They sum to 1 within 1e-9 for whole and half parameters >= ½, as
 * counts and the usual priors give, and within 1e-5 for others, whose densities have a corner at 0 or 1.
 *
 * These are the shares a Thompson bandit sends to its arms (Thompson 1933). They say which arm serves people best while
 * one learns; they are no test, and none is claimed.
 *
 * @throws RangeError without arms or for parameters that are not above 0
 */
export function bestArmProbabilities(arms: readonly Posterior[]): number[] {
  if (arms.length === 0) throw new RangeError('the best of no arms');
  if (arms.length === 1) return [1];
  const spans = arms.map(({ a, b }) => {
    const centre = Math.atan2(Math.sqrt(a), Math.sqrt(b));
    const reach = (REACH * 0.5) / Math.sqrt(a + b);
    return { from: Math.max(0, centre - reach), to: Math.min(Math.PI / 2, centre + reach) };
  });
  return arms.map(({ a, b }, i) => {
    const others = arms.filter((_, j) => j !== i);
    const height = (angle: number): number => {
      const sine = Math.sin(angle);
      const cosine = Math.cos(angle);
      const [x, y] = [sine * sine, cosine * cosine];
      let value = 2 * betaDensity(x, a, b, y) * sine * cosine;
      for (const other of others) {
        if (value === 0) break;
        value *= betaCdf(x, other.a, other.b, y);
      }
      return value;
    };
    const { from, to } = spans[i]!;
    // Where a narrower posterior rises from 0 to 1 the integrand bends: the pieces end there.
    const edges = spans.flatMap((span) => [span.from, span.to]).filter((edge) => edge > from && edge < to);
    const pieces = [from, ...edges.sort((p, q) => p - q), to];
    return pieces.slice(1).reduce((sum, end, k) => sum + integrate(height, pieces[k]!, end, PANELS), 0);
  });
}

/** The arm that answers the next request: the one whose posterior draws the largest share. */
export function thompsonDraw(arms: readonly Posterior[], random: Random): number {
  if (arms.length === 0) throw new RangeError('the best of no arms');
  let best = 0;
  let largest = -1;
  arms.forEach(({ a, b }, i) => {
    const share = drawBeta(random, a, b);
    if (share > largest) [best, largest] = [i, share];
  });
  return best;
}
