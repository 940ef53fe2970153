import { findRoot } from './find-root.js';
import { lowerTail, passLook, START, upperTail } from './score-walk.js';

/** A look of a test that stops at or above `upper`, and at or below `lower` where there is one. */
export interface StoppingLook {
  readonly information: number;
  /** on the Z scale; Infinity: cannot stop here */
  readonly upper: number;
  /** -Infinity when left out */
  readonly lower?: number;
}

export interface Crossing {
  /** P(stops at look k by reaching `upper`), by look */
  readonly upper: readonly number[];
  readonly lower: readonly number[];
  /** their sums */
  readonly everUpper: number;
  readonly everLower: number;
  /** E of the information at the stop; a path that never stops ends at the last look */
  readonly expectedInformation: number;
}

/**
 * Where a group-sequential test stops when the effect is `drift`: E Z_k = drift·√I_k. With drift 0 it is alpha that comes
 * out, with the effect planned for the power.
 *
 * @throws RangeError for information that does not rise
 */
export function crossingProbabilities(looks: readonly StoppingLook[], drift: number): Crossing {
  let state = START;
  const [upper, lower]: [number[], number[]] = [[], []];
  let expectedInformation = 0;
  let going = 1;
  looks.forEach(({ information, upper: high, lower: low = -Infinity }, k) => {
    if (!(information > (looks[k - 1]?.information ?? 0))) throw new RangeError('information rises from look to look');
    const up = high === Infinity ? 0 : upperTail(state, information, high, drift).probability;
    const down = low === -Infinity ? 0 : lowerTail(state, information, low, drift).probability;
    upper.push(up);
    lower.push(down);
    const next = looks[k + 1]?.information;
    expectedInformation += information * (next === undefined ? going : up + down);
    going -= up + down;
    if (next !== undefined && next > information)
      state = passLook(state, { information, upper: high, lower: low }, next, drift);
  });
  return { upper, lower, everUpper: sum(upper), everLower: sum(lower), expectedInformation };
}

/** The least effect, per √information, that is found with this power: P(ever reaches `upper`) = power. */
export function driftForPower(looks: readonly StoppingLook[], power: number): number {
  const short = (drift: number) => crossingProbabilities(looks, drift).everUpper - power;
  const unit = 1 / Math.sqrt(looks[looks.length - 1]?.information ?? 1);
  return findRoot(short, -10 * unit, 40 * unit, 1e-11 * unit);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
