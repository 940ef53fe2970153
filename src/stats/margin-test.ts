import { findRoot } from './find-root.js';
import { normalSf } from './normal.js';
import type { Limits } from './score-limits.js';
import { checkProportion, differenceOfProportions, type Proportion } from './two-proportions.js';

export interface MarginTest {
  readonly delta: number;
  /** (Δ − margin)/se with the variances of the arms as observed (Wald) */
  readonly zUnpooled: number;
  readonly pUnpooled: number;
  /** the likeliest shares with p(challenger) − p(champion) = margin */
  readonly p0: number;
  readonly p1: number;
  /** standard error at those shares, and the score statistic with it (Farrington and Manning 1990) */
  readonly se: number;
  readonly z: number;
  /** one-sided: small when Δ exceeds the margin */
  readonly p: number;
  /** the same with N/(N−1) in the variance (Miettinen and Nurminen 1985) */
  readonly zMiettinenNurminen: number;
  readonly pMiettinenNurminen: number;
}

/**
 * Is p(challenger) − p(champion) above `margin`? One trial per subject; margin < 0 is non-inferiority, 0 the ordinary
 * pooled z-test.
 *
 * @param margin in (-1, 1)
 * @throws RangeError for empty arms or counts that cannot be
 */
export function marginTest(champion: Proportion, challenger: Proportion, margin: number): MarginTest {
  const { p0, p1 } = restrictedShares(champion, challenger, margin);
  const delta = differenceOfProportions(champion, challenger);
  const n = champion.n + challenger.n;
  const unpooled = waldSe(champion, challenger);
  const se = Math.sqrt((p0 * (1 - p0)) / champion.n + (p1 * (1 - p1)) / challenger.n);
  // Without any variance a difference is beyond every doubt, and none is none.
  const over = (deviation: number) => (delta === margin ? 0 : (delta - margin) / deviation);
  const [zUnpooled, z] = [over(unpooled), over(se)];
  const zMiettinenNurminen = n > 1 ? z * Math.sqrt((n - 1) / n) : 0;
  return {
    ...{ delta, zUnpooled, pUnpooled: normalSf(zUnpooled), p0, p1, se, z, p: normalSf(z) },
    ...{ zMiettinenNurminen, pMiettinenNurminen: normalSf(zMiettinenNurminen) },
  };
}

/**
 * The maximum of the likelihood on p1 − p0 = margin: the root in the allowed range of a cubic, by its trigonometric form
 * (Farrington and Manning 1990).
 */
function restrictedShares(champion: Proportion, challenger: Proportion, margin: number): { p0: number; p1: number } {
  checkProportion(champion);
  checkProportion(challenger);
  if (champion.n === 0 || challenger.n === 0) throw new RangeError('a margin is tested with trials in both arms');
  if (!(margin > -1 && margin < 1)) throw new RangeError(`a margin is above -1 and below 1, not ${margin}`);
  const ratio = champion.n / challenger.n;
  const pt = challenger.x / challenger.n;
  const pc = champion.x / champion.n;
  const a = 1 + ratio;
  const b = -(1 + ratio + pt + ratio * pc + margin * (ratio + 2));
  const c = margin * margin + margin * (2 * pt + ratio + 1) + pt + ratio * pc;
  const d = -pt * margin * (1 + margin);
  const v = (b / (3 * a)) ** 3 - (b * c) / (6 * a * a) + d / (2 * a);
  const u = (v >= 0 ? 1 : -1) * Math.sqrt(Math.max(0, (b / (3 * a)) ** 2 - c / (3 * a)));
  const angle = u === 0 ? 0 : (Math.PI + Math.acos(Math.min(1, Math.max(-1, v / u ** 3)))) / 3;
  const [least, most] = [Math.max(0, margin), Math.min(1, 1 + margin)];
  const p1 = Math.min(most, Math.max(least, 2 * u * Math.cos(angle) - b / (3 * a)));
  return { p0: Math.min(1, Math.max(0, p1 - margin)), p1 };
}

/**
 * Score limits for p(challenger) − p(champion) (Mee 1984): the margins that the Farrington–Manning statistic does not
 * refute at `z`. Holds its level in small samples better than Wald's; Newcombe's limits are close to it and have a formula.
 */
export function scoreLimits(champion: Proportion, challenger: Proportion, z: number): Limits {
  checkProportion(champion);
  checkProportion(challenger);
  if (champion.n === 0 || challenger.n === 0) return { lower: -1, upper: 1 };
  const delta = differenceOfProportions(champion, challenger);
  const edge = 1 - 1e-12;
  const statistic = (margin: number) => marginTest(champion, challenger, margin).z;
  const limit = (end: number, wanted: number): number => {
    if (Math.abs(delta) >= edge && Math.sign(delta) === Math.sign(end)) return end;
    const short = (margin: number) => statistic(margin) - wanted;
    const near = Math.max(-edge, Math.min(edge, delta));
    return Math.sign(short(near)) === Math.sign(short(end * edge)) ? end : findRoot(short, near, end * edge, 1e-13);
  };
  return { lower: limit(-1, z), upper: limit(1, -z) };
}

/** Δ ± z·√(Σ p(1−p)/n), the textbook interval of large samples (Wald); nothing is known of an empty arm: [-1, 1]. */
export function waldLimits(champion: Proportion, challenger: Proportion, z: number): Limits {
  checkProportion(champion);
  checkProportion(challenger);
  if (champion.n === 0 || challenger.n === 0) return { lower: -1, upper: 1 };
  const delta = differenceOfProportions(champion, challenger);
  const half = z * waldSe(champion, challenger);
  return { lower: delta - half, upper: delta + half };
}

function waldSe(champion: Proportion, challenger: Proportion): number {
  const variance = ({ n, x }: Proportion) => ((x / n) * ((n - x) / n)) / n;
  return Math.sqrt(variance(champion) + variance(challenger));
}
