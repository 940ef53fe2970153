import { differenceOfProportions } from './two-proportions.js';

/**
 * Bounds that hold at every moment at once, however often one looks (normal mixture; Robbins 1970, Howard, Ramdas,
 * McAuliffe and Sekhon 2021). They are wider than an interval for one planned look; that is the price of watching
 * every ten seconds.
 */

/** The error rate of all always-valid bounds of the project, per side. */
const HARM_ALPHA = 0.01;

/**
 * Half-width √V · √(((1+κ)/κ) · ln((1+κ)/(4α²))), with κ = (1/V)/I₀. Where information equals I₀ the bound is about as
 * tight as it gets; any I₀ chosen before the data arrive leaves it valid.
 *
 * @param variance V > 0 of the estimate
 * @param information0 I₀ > 0
 * @param alpha one-sided error rate, 0 < alpha < 0.5
 */
export function alwaysValidHalfWidth(variance: number, information0: number, alpha: number = HARM_ALPHA): number {
  const kappa = 1 / variance / information0;
  return Math.sqrt(variance * ((1 + kappa) / kappa) * Math.log((1 + kappa) / (4 * alpha * alpha)));
}

/** What was known about the champion when the experiment started: positive share and design effect of 30 days. */
export interface Prior {
  readonly p0: number;
  readonly D0: number;
}

/**
 * I₀ = 1/(p₀(1−p₀)·D₀·(1/100 + s/(100(1−s)))): the information when the arm of share s has 100 outcomes.
 *
 * Without history p₀ = 0.5 and D₀ = 1. A history without any variation (p₀ of 0 or 1) counts as none: it would make I₀
 * infinite and the bound with it, so that nothing could ever stop.
 *
 * @param share of the smaller arm: the challenger's, or the holdback's in a bake; 0 < share < 1
 */
export function initialInformation(prior: Prior | null, share: number): number {
  const { p0, D0 } = prior !== null && prior.p0 > 0 && prior.p0 < 1 ? prior : { p0: 0.5, D0: 1 };
  const design = D0 >= 1 && Number.isFinite(D0) ? D0 : 1;
  return informationOfHundred(p0 * (1 - p0) * design, share);
}

/**
 * The information when the arm of share s has 100 outcomes, of which one has this variance, with what outcomes of one subject
 * have in common.
 */
export function informationOfHundred(variance: number, share: number): number {
  if (!(share > 0 && share < 1)) throw new RangeError(`a share is above 0 and below 1, not ${share}`);
  return 1 / (variance * (1 / 100 + share / (100 * (1 - share))));
}

/** One arm for an always-valid bound: counts and design effect (1 where trials are independent). */
export interface BoundedArm {
  readonly n: number;
  readonly x: number;
  readonly D: number;
}

export interface AlwaysValidBound {
  /** p(challenger) − p(champion) */
  readonly delta: number;
  /** V = Σ D·p̃(1−p̃)/n with p̃ = (x+½)/(n+1), so that an arm without failures still has a variance */
  readonly V: number;
  readonly kappa: number;
  readonly lower: number;
  readonly upper: number;
}

/** Always-valid limits for p(challenger) − p(champion), each one-sided at `alpha`; null when an arm is empty. */
export function alwaysValidBound(
  champion: BoundedArm,
  challenger: BoundedArm,
  information0: number,
  alpha: number = HARM_ALPHA,
): AlwaysValidBound | null {
  if (champion.n === 0 || challenger.n === 0) return null;
  const delta = differenceOfProportions(champion, challenger);
  const V = smoothedVariance(champion) + smoothedVariance(challenger);
  const half = alwaysValidHalfWidth(V, information0, alpha);
  return { delta, V, kappa: 1 / V / information0, lower: delta - half, upper: delta + half };
}

function smoothedVariance({ n, x, D }: BoundedArm): number {
  const p = (x + 0.5) / (n + 1);
  return (D * p * (1 - p)) / n;
}

/**
 * The two-sided p-value that goes with the always-valid interval: the least alpha (both sides together) at which it leaves
 * out 0, min(1, √(1+κ)·exp(−κz²/(2(1+κ)))). It may be looked at all the time.
 *
 * @param z estimate over its standard error
 * @param kappa information over I₀, > 0
 */
export function alwaysValidP(z: number, kappa: number): number {
  return Math.min(1, Math.sqrt(1 + kappa) * Math.exp((-kappa * z * z) / (2 * (1 + kappa))));
}
