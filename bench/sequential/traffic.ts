import type { ArmSums } from '../../src/stats/index.js';
import { drawBeta, drawGamma, seededRandom } from '../../src/stats/index.js';

/** Hours between the moments at which an experiment's sums are kept. */
export const STEP = 6;
export const HOURS = 120;
const STEPS = HOURS / STEP;

/** What the simulated world is like. */
export const WORLD = {
  interactionsPerHour: 1_000,
  /** of one subject in 120 hours, on average; people differ exponentially */
  perSubject: 20,
  rated: 0.15,
  base: 0.8,
  /** correlation between the answers that one subject likes */
  icc: 0.1,
  share: 0.1,
};

/** Interactions by hour of the week, on average 1: nights are quiet, weekends half as busy. */
const WEEK = (() => {
  const raw = Array.from({ length: 168 }, (_, hour) => {
    const day = 1 + 0.8 * Math.sin((2 * Math.PI * ((hour % 24) - 9)) / 24);
    return day * (hour >= 120 ? 0.5 : 1);
  });
  const mean = raw.reduce((sum, rate) => sum + rate, 0) / raw.length;
  return raw.map((rate) => rate / mean);
})();

/** A fast generator (sfc32 of PractRand), 32 bits at a time. */
function bits(seed: number): () => number {
  let [a, b, c, counter] = [seed | 0, 0x9e3779b9 | 0, 0x85ebca6b | 0, 1];
  const next = () => {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return t >>> 0;
  };
  for (let i = 0; i < 16; i++) next();
  return next;
}

const TABLE = 1 << 16;

/** Many draws of a subject's own positive share, around `mean`; their correlation is `icc` by construction. */
function shares(mean: number): Float64Array {
  const random = seededRandom(7);
  const total = 1 / WORLD.icc - 1;
  return Float64Array.from({ length: TABLE }, () => drawBeta(random, mean * total, (1 - mean) * total));
}

const ACTIVITY = (() => {
  const random = seededRandom(8);
  return Float64Array.from({ length: TABLE }, () => drawGamma(random, 1));
})();

/** An arm after each step, cumulated: `arms[j]` is what happened up to hour j·STEP. */
export interface Simulated {
  champion: ArmSums[];
  challenger: ArmSums[];
}

const FIELDS = ['O', 'S', 'N', 'E', 'n', 'x', 'm2', 'x2', 'xm', 'e2', 'em'] as const;

/** Makes experiments in which the challenger's answers are liked by `effect` more; each seed is another experiment. */
export function simulator(effect: number): (seed: number) => Simulated {
  const own = { champion: shares(WORLD.base), challenger: shares(WORLD.base + effect) };
  const people = (WORLD.interactionsPerHour * HOURS) / WORLD.perSubject;
  const count = new Int32Array(STEPS);
  const ups = new Int32Array(STEPS);
  const ratedBelow = WORLD.rated * 0x1_0000;
  return (seed) => {
    const next = bits(seed);
    const { stepOf, weight } = timetable(next() % 168);
    const deltas = { champion: new Float64Array(STEPS * 11), challenger: new Float64Array(STEPS * 11) };
    const ratings = new Int32Array(STEPS);
    for (let s = 0; s < people; s++) {
      const arm = next() < WORLD.share * 2 ** 32 ? 'challenger' : 'champion';
      const sums = deltas[arm];
      const likes = own[arm][next() & (TABLE - 1)]! * 2 ** 32;
      const e = poisson(next, WORLD.perSubject * weight * ACTIVITY[next() & (TABLE - 1)]!);
      if (e === 0) continue;
      count.fill(0);
      ups.fill(0);
      ratings.fill(0);
      for (let i = 0; i < e; i++) {
        const drawn = next();
        const step = stepOf[drawn >>> 16]!;
        count[step]! += 1;
        if ((drawn & 0xffff) < ratedBelow) {
          ratings[step]! += 1;
          if (next() < likes) ups[step]! += 1;
        }
      }
      let [E, m, x] = [0, 0, 0];
      for (let j = 0; j < STEPS; j++) {
        if (count[j] === 0) continue;
        const [e1, m1, x1] = [E + count[j]!, m + ratings[j]!, x + ups[j]!];
        const at = j * 11;
        if (E === 0) {
          sums[at]! += 1;
          sums[at + 1]! += 1;
        }
        if (m === 0 && m1 > 0) sums[at + 2]! += 1;
        sums[at + 3]! += e1 - E;
        sums[at + 4]! += m1 - m;
        sums[at + 5]! += x1 - x;
        sums[at + 6]! += m1 * m1 - m * m;
        sums[at + 7]! += x1 * x1 - x * x;
        sums[at + 8]! += x1 * m1 - x * m;
        sums[at + 9]! += e1 * e1 - E * E;
        sums[at + 10]! += e1 * m1 - E * m;
        [E, m, x] = [e1, m1, x1];
      }
    }
    return { champion: cumulated(deltas.champion), challenger: cumulated(deltas.challenger) };
  };
}

function cumulated(deltas: Float64Array): ArmSums[] {
  const total = new Float64Array(11);
  const arms: ArmSums[] = [armOf(total)];
  for (let j = 0; j < STEPS; j++) {
    for (let f = 0; f < 11; f++) total[f]! += deltas[j * 11 + f]!;
    arms.push(armOf(total));
  }
  return arms;
}

function armOf(total: Float64Array): ArmSums {
  const sums = Object.fromEntries(FIELDS.map((name, f) => [name, total[f]!])) as unknown as Omit<
    ArmSums,
    'requests' | 'errors'
  >;
  return { ...sums, requests: sums.E, errors: 0 };
}

const timetables = new Map<number, { stepOf: Uint8Array; weight: number }>();

/** For an experiment that starts at this hour of the week: a step for every 16-bit number, and how busy its 120 hours are. */
function timetable(start: number): { stepOf: Uint8Array; weight: number } {
  const known = timetables.get(start);
  if (known !== undefined) return known;
  const rates = Array.from({ length: STEPS }, (_, j) => {
    let sum = 0;
    for (let h = 0; h < STEP; h++) sum += WEEK[(start + j * STEP + h) % 168]!;
    return sum;
  });
  const whole = rates.reduce((sum, rate) => sum + rate, 0);
  const stepOf = new Uint8Array(0x1_0000);
  let [step, below] = [0, rates[0]! / whole];
  for (let i = 0; i < stepOf.length; i++) {
    while (step < STEPS - 1 && i / stepOf.length >= below) below += rates[++step]! / whole;
    stepOf[i] = step;
  }
  const made = { stepOf, weight: whole / HOURS };
  timetables.set(start, made);
  return made;
}

/** A Poisson number: as many exponential waits as fit into `mean`, multiplied up instead of added. */
function poisson(next: () => number, mean: number): number {
  let k = 0;
  for (let left = mean; left > 0; left -= 500) {
    const limit = Math.exp(-Math.min(left, 500));
    let product = (next() + 0.5) / 2 ** 32;
    while (product > limit) {
      k += 1;
      product *= (next() + 0.5) / 2 ** 32;
    }
  }
  return k;
}
