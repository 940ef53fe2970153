import { normalIsf } from './normal.js';
import { passLook, type ScoreState, START, upperTail } from './score-walk.js';
import { alphaSpentAt, type SpendingType } from './spending.js';

/** A boundary above this cannot be reached (P < 7e-16): the look cannot stop, and its boundary is Infinity. */
const CANNOT_STOP = 8;

export interface TestedLook {
  /** I_j, in any unit that is the same for all looks; rising from look to look */
  readonly information: number;
  /** c_j as it was used, Infinity where the look could not stop */
  readonly c: number;
}

export interface BoundaryInput {
  /** the looks tested before, in order; not those that were blocked or short of a floor */
  readonly past: readonly TestedLook[];
  /** I_k of this look, above that of the last tested one */
  readonly information: number;
  /** one-sided alpha this look may spend: f(τ_k) − f(τ_{k−1}) */
  readonly alpha: number;
  /** stops at −c as well as at c, as a two-sided test does; false: above only */
  readonly symmetric?: boolean;
}

/**
 * c_k with P(Z_1 < c_1, …, Z_{k−1} < c_{k−1}, Z_k >= c_k) = alpha under "no difference", by integrating over the looks
 * tested before. Infinity when nothing is to be spent or c_k would exceed 8.
 *
 * @throws RangeError for information that does not rise
 */
export function nextBoundary({ past, information, alpha, symmetric = false }: BoundaryInput): number {
  let state = START;
  past.forEach((look, j) => {
    const next = past[j + 1]?.information ?? information;
    state = passLook(state, { ...checked(look, next), lower: symmetric ? -look.c : -Infinity }, next, 0);
  });
  if (!(information > state.information)) throw notRising(information);
  return boundaryFrom(state, information, alpha);
}

function checked({ information, c }: TestedLook, next: number): { information: number; upper: number } {
  if (!(information > 0 && next > information)) throw notRising(next);
  if (Number.isNaN(c)) throw new RangeError('a boundary is a number');
  return { information, upper: c };
}

function notRising(information: number): RangeError {
  return new RangeError(`information rises from look to look, and ${information} does not`);
}

/**
 * Newton's steps on ln P(…, Z_k >= c). That logarithm is concave (Prékopa 1973: the paths that go on fill a convex set),
 * and the root lies below the boundary of a single look; so the steps come down to it from above and never pass it.
 */
function boundaryFrom(state: ScoreState, information: number, alpha: number): number {
  if (!(alpha > 0)) return Number.POSITIVE_INFINITY;
  let c = normalIsf(Math.min(alpha, 1));
  for (let i = 0; i < 50; i++) {
    const { probability, density } = upperTail(state, information, c, 0);
    const step = (Math.log(probability / alpha) * probability) / density;
    if (!Number.isFinite(step)) break;
    c += step;
    if (Math.abs(step) < 1e-12 * Math.max(1, Math.abs(c))) break;
  }
  return c > CANNOT_STOP ? Number.POSITIVE_INFINITY : c;
}

export interface BoundariesInput {
  /** I_k of every look, rising; only their ratios matter for the correlation of looks */
  readonly information: readonly number[];
  /** τ_k of every look for the spending function; the information itself when left out */
  readonly tau?: readonly number[];
  /** one-sided */
  readonly alpha1: number;
  readonly spending?: SpendingType;
  readonly symmetric?: boolean;
  /** the last look spends all that is left, whatever its τ; true unless said otherwise */
  readonly last?: boolean;
}

export interface Boundaries {
  /** c_k; Infinity where a look cannot stop */
  readonly c: readonly number[];
  /** one-sided alpha spent up to and with look k */
  readonly spent: readonly number[];
}

/** All boundaries of a plan at once. The published ones for five equal looks, two-sided 0.05: 4.8769 … 2.0310. */
export function groupSequentialBoundaries(input: BoundariesInput): Boundaries {
  const { information, alpha1, spending, symmetric = false, last = true } = input;
  const tau = input.tau ?? information;
  if (tau.length !== information.length || tau.length === 0)
    throw new RangeError('boundaries need at least one look, and a fraction for each');
  const spent = tau.map((fraction, k) =>
    alphaSpentAt(last && k === tau.length - 1 ? 1 : fraction, alpha1, spending ?? 'obrien_fleming'),
  );
  information.forEach((I, k) => {
    if (!(I > (information[k - 1] ?? 0))) throw notRising(I);
  });
  let state = START;
  const c = information.map((I, k) => {
    const bound = boundaryFrom(state, I, (spent[k] as number) - (spent[k - 1] ?? 0));
    const next = information[k + 1];
    if (next !== undefined)
      state = passLook(state, { information: I, upper: bound, lower: symmetric ? -bound : -Infinity }, next, 0);
    return bound;
  });
  return { c, spent };
}
