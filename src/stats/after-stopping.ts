import type { StoppingLook } from './crossing.js';
import { findRoot } from './find-root.js';
import { normalIsf } from './normal.js';
import type { Limits } from './score-limits.js';
import { lowerTail, passLook, START, upperTail } from './score-walk.js';

/**
 * Estimates after a test that could have stopped earlier. Stopping at a crossing favours lucky data: Δ as measured is too
 * large on average. The stage-wise ordering (Armitage 1957; Tsiatis, Rosner and Mehta 1984) puts one result above another
 * when it crossed earlier, and at the same look when its z is larger; from it follow a p-value, a median-unbiased estimate
 * and an interval that are right whatever look the test stopped at. It needs no knowledge of the looks that were not held.
 */
export interface StoppedTest {
  /**
   * The looks tested before, with the bounds that would have stopped them: max(c_j, min_effect·√I_j) where a least effect
   * was asked for as well.
   */
  readonly past: readonly StoppingLook[];
  /** the look that stopped, or the last one */
  readonly final: {
    readonly information: number;
    readonly z: number;
    /** where that look stopped downwards, if the test was symmetric */
    readonly lower?: number;
  };
}

export interface StagewiseEstimate {
  /** one-sided p-value of "no better": at most alpha spent so far exactly when z reached its boundary */
  readonly p: number;
  /** the effect for which this result or a better one had an even chance */
  readonly median: number;
  readonly interval: Limits;
  /** the effect as measured, z/√I */
  readonly measured: number;
}

/**
 * P(this result or a better one) in the stage-wise order, when E Z = effect·√I. Rises with the effect.
 * @throws RangeError for information that does not rise
 */
export function stagewiseTail({ past, final }: StoppedTest, effect: number): number {
  return betterAndWorse({ past, final }, effect).better;
}

/** Both tails, each summed from positive terms, so that neither is a rounded 1 − other. */
function betterAndWorse({ past, final }: StoppedTest, effect: number): { better: number; worse: number } {
  let state = START;
  let [above, below] = [0, 0];
  past.forEach((look, j) => {
    const { information, upper, lower = -Infinity } = look;
    const next = past[j + 1]?.information ?? final.information;
    if (!(information > state.information && next > information))
      throw new RangeError('information rises from look to look');
    if (upper < Infinity) above += upperTail(state, information, upper, effect).probability;
    if (lower > -Infinity) below += lowerTail(state, information, lower, effect).probability;
    state = passLook(state, { information, upper, lower }, next, effect);
  });
  const { information, z, lower = -Infinity } = final;
  if (!(information > 0)) throw new RangeError('information is above 0');
  const at = upperTail(state, information, z, effect).probability;
  const under = lowerTail(state, information, z, effect).probability;
  // Stopped downwards: whatever went on from this look ranks above it.
  if (z <= lower) return { better: 1 - below - under, worse: below + under };
  return { better: above + at, worse: below + under };
}

/** The effect for which the result has this chance of being reached or beaten. */
function effectAt(test: StoppedTest, chance: number): number {
  const root = Math.sqrt(test.final.information);
  const wanted = -normalIsf(chance);
  const probit = (effect: number) => {
    const { better, worse } = betterAndWorse(test, effect);
    return (better < 0.5 ? -normalIsf(clamp(better)) : normalIsf(clamp(worse))) - wanted;
  };
  // On the probit scale the chance is almost a straight line of the effect, with a slope near √I.
  const start = test.final.z / root;
  let [low, high] = [start + (wanted - 2) / root, start + (wanted + 2) / root];
  for (let i = 0; i < 60 && probit(low) > 0; i++) low -= 2 ** i / root;
  for (let i = 0; i < 60 && probit(high) < 0; i++) high += 2 ** i / root;
  return findRoot(probit, low, high, 1e-10 / root);
}

const clamp = (p: number) => Math.min(1, Math.max(1e-300, p));

/**
 * p-value, median-unbiased effect and interval after the test ended.
 *
 * A test stopped for another reason (harm, an operator) may be given as it stood: the estimate then answers as if that
 * look had been the last.
 *
 * @param level two-sided confidence, 0.95 unless said otherwise
 */
export function stagewiseEstimate(test: StoppedTest, level = 0.95): StagewiseEstimate {
  if (!(level > 0 && level < 1)) throw new RangeError(`a confidence level is between 0 and 1, not ${level}`);
  const tail = (1 - level) / 2;
  return {
    p: stagewiseTail(test, 0),
    median: effectAt(test, 0.5),
    interval: { lower: effectAt(test, tail), upper: effectAt(test, 1 - tail) },
    measured: test.final.z / Math.sqrt(test.final.information),
  };
}

/**
 * The repeated confidence interval at a look (Jennison and Turnbull 1989): Δ ± c_k·se, c_k the boundary of that look.
 * All of them together hold at 1 − 2α₁, so one may be shown at every look whether or not the test stops. Nothing is
 * known where the look could not stop (c_k infinite): null.
 */
export function repeatedInterval(delta: number, se: number, c: number): Limits | null {
  if (!(se >= 0) || Number.isNaN(delta)) throw new RangeError(`no interval around ${delta} with ${se}`);
  return c === Infinity ? null : { lower: delta - c * se, upper: delta + c * se };
}
