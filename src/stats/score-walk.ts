import { fastMills } from './fast-tail.js';
import { gaussLegendre } from './gauss-legendre.js';

/**
 * The walk of the score S = Z·√I over the looks of a group-sequential test, on those paths that have not stopped.
 * Increments are independent and normal, S_k − S_j ~ N(θ(I_k − I_j), I_k − I_j), whence Cov(Z_j, Z_k) = √(I_j/I_k)
 * (Armitage, McPherson and Rowe 1969; Jennison and Turnbull 2000, chapter 19).
 *
 * A state is a set of points on the score's axis with the probability mass that each stands for: at the start one point
 * at 0 with mass 1. That the first look needs no formula of its own keeps everything below short.
 */
export interface ScoreState {
  /** information so far; 0 at the start */
  readonly information: number;
  /** ascending */
  readonly points: Float64Array;
  readonly masses: Float64Array;
}

export const START: ScoreState = { information: 0, points: Float64Array.of(0), masses: Float64Array.of(1) };

/**
 * Standard deviations at which the grid ends on a side that is open: 1e-19 of the paths lie above. Below, where nothing
 * is ever stopped, 1e-12 of them may be left out: from there hardly any reaches a boundary above.
 */
const REACH = 9;
const REACH_BELOW = 7;
/** Beyond this many standard deviations the kernel (1e-22 of its peak) is not evaluated. */
const KERNEL_REACH = 10;
const NODES = 16;
/** Width of a panel of NODES points, in standard deviations of the narrowest thing to be resolved. */
const PANEL = 7;
const INV_SQRT_2PI = 0.3989422804014327;

export interface Tail {
  /** P(not stopped before, Z_k >= c) */
  readonly probability: number;
  /** density of Z_k at c on the paths not stopped before: minus the derivative by c */
  readonly density: number;
}

/** What a boundary at c on the Z scale, at information I_k above the state's, would cut off. `drift` is θ: E Z = θ√I. */
export function upperTail(state: ScoreState, information: number, c: number, drift: number): Tail {
  const { points, masses } = state;
  const step = information - state.information;
  const scale = 1 / Math.sqrt(step);
  const offset = (c * Math.sqrt(information) - drift * step) * scale;
  let probability = 0;
  let density = 0;
  for (let i = 0; i < points.length; i++) {
    const z = offset - (points[i] as number) * scale;
    const mass = masses[i] as number;
    if (z < -KERNEL_REACH) {
      probability += mass;
      continue;
    }
    const height = mass * INV_SQRT_2PI * Math.exp(-0.5 * z * z);
    density += height;
    probability += z >= 0 ? height * fastMills(z) : mass - height * fastMills(-z);
  }
  return { probability, density: density * Math.sqrt(information) * scale };
}

/** P(not stopped before, Z_k <= c). */
export function lowerTail(state: ScoreState, information: number, c: number, drift: number): Tail {
  return upperTail(mirror(state), information, -c, -drift);
}

function mirror({ information, points, masses }: ScoreState): ScoreState {
  return { information, points: points.map((point) => -point), masses };
}

/** A look at which a path goes on while lower < Z < upper; infinite where it cannot stop on that side. */
export interface ScoreLook {
  readonly information: number;
  readonly upper: number;
  readonly lower: number;
}

/**
 * The state after a look, on the paths that go on from it.
 *
 * Grid: the integrand of the next step is the density here, which is no narrower than the step that led here, times the
 * kernel of the next step; the panels resolve the product of the two. Looks close together therefore get a fine grid by
 * themselves, which is what a fixed number of points per unit gets wrong.
 *
 * @param nextInformation I of the look that follows
 */
export function passLook(state: ScoreState, look: ScoreLook, nextInformation: number, drift: number): ScoreState {
  const { information } = look;
  const step = information - state.information;
  const root = Math.sqrt(information);
  const reachBelow = look.lower === -Infinity ? REACH_BELOW : REACH;
  const low = Math.max(look.lower * root, drift * information - reachBelow * root);
  const high = Math.min(look.upper * root, drift * information + REACH * root);
  if (!(low < high)) return { information, points: new Float64Array(0), masses: new Float64Array(0) };
  const narrowest = 1 / Math.sqrt(1 / step + 1 / (nextInformation - information));
  const panels = Math.ceil((high - low) / (PANEL * narrowest));
  const { nodes, weights } = gaussLegendre(NODES);
  const half = (high - low) / panels / 2;
  const points = new Float64Array(panels * NODES);
  const masses = new Float64Array(panels * NODES);
  const scale = 1 / Math.sqrt(step);
  const shift = drift * step;
  const from = state.points;
  const reach = KERNEL_REACH / scale;
  let first = 0;
  for (let k = 0; k < points.length; k++) {
    const centre = low + (2 * Math.floor(k / NODES) + 1) * half;
    const point = centre + half * (nodes[k % NODES] as number);
    points[k] = point;
    const target = point - shift;
    while (first < from.length && (from[first] as number) < target - reach) first += 1;
    let sum = 0;
    for (let i = first; i < from.length; i++) {
      const distance = (target - (from[i] as number)) * scale;
      if (distance < -KERNEL_REACH) break;
      sum += (state.masses[i] as number) * Math.exp(-0.5 * distance * distance);
    }
    masses[k] = sum * INV_SQRT_2PI * scale * half * (weights[k % NODES] as number);
  }
  return { information, points, masses };
}
