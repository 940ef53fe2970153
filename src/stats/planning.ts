import { normalIsf, normalSf } from './normal.js';

export interface RuleSettings {
  /** two-sided; the decision is one-sided at alpha/2 */
  readonly alpha: number;
  /** chance of promoting a challenger that is better by `targetEffect` */
  readonly power: number;
  /** least difference worth a promotion, absolute */
  readonly minEffect: number;
  /** difference the experiment is planned for, absolute, above `minEffect` */
  readonly targetEffect: number;
}

/**
 * I_max of the `fixed` rule: max(((z_{1−α₁}+z_power)/target)², (z_power/(target−min))²), α₁ = alpha/2. The first is the
 * information for significance, the second the one for the estimate to exceed `minEffect`, each with the power asked
 * for. 3139.55 for the default policy.
 *
 * @throws RangeError unless 0 <= minEffect < targetEffect, 0 < alpha < 1 and 0.5 <= power < 1
 */
export function fixedMaxInformation({ alpha, power, minEffect, targetEffect }: RuleSettings): number {
  if (!(minEffect >= 0 && targetEffect > minEffect)) throw new RangeError('target effect must exceed min effect');
  if (!(alpha > 0 && alpha < 1)) throw new RangeError(`alpha is above 0 and below 1, not ${alpha}`);
  if (!(power >= 0.5 && power < 1)) throw new RangeError(`power is at least 0.5 and below 1, not ${power}`);
  const zAlpha = normalIsf(alpha / 2);
  const zPower = normalIsf(1 - power);
  return Math.max(((zAlpha + zPower) / targetEffect) ** 2, (zPower / (targetEffect - minEffect)) ** 2);
}

export interface ArmSizes {
  readonly champion: number;
  readonly challenger: number;
}

/**
 * Interactions with an outcome that each arm needs for an information of `information`, rounded up: p̄ the expected
 * positive share of both arms together, D the expected design effect.
 */
export function outcomesForInformation(information: number, pooled: number, share: number, design = 1): ArmSizes {
  return outcomesForVariance(information, pooled * (1 - pooled) * design, share);
}

/** The same for outcomes of which one has this variance, with what those of one subject have in common. */
export function outcomesForVariance(information: number, variance: number, share: number): ArmSizes {
  const challenger = information * variance * (1 / (1 - share));
  return { champion: Math.ceil((challenger * (1 - share)) / share), challenger: Math.ceil(challenger) };
}

export interface SampleSizeInput {
  readonly alpha: number;
  readonly power: number;
  /** challenger's share of traffic */
  readonly share: number;
  /** champion's positive share */
  readonly p0: number;
  /** difference to detect, absolute, of either sign, not 0 */
  readonly effect: number;
  /** design effect of several observations per subject */
  readonly design?: number;
}

/**
 * Observations per arm for a two-sided test at `alpha`, not rounded (Fleiss 1981: the null variance pooled; at 90/10
 * the unpooled formula is off by up to 13 points of power). Round each arm up on its own.
 */
export function sampleSize({ alpha, power, share, p0, effect, design = 1 }: SampleSizeInput): ArmSizes {
  const ratio = share / (1 - share);
  const p1 = p0 + effect;
  if (!(p1 >= 0 && p1 <= 1) || effect === 0) throw new RangeError(`no such effect: ${p0} to ${p1}`);
  const pooled = (p0 + ratio * p1) / (1 + ratio);
  const underNull = Math.sqrt(pooled * (1 - pooled) * (1 + 1 / ratio));
  const underEffect = Math.sqrt(p0 * (1 - p0) + (p1 * (1 - p1)) / ratio);
  const root = (normalIsf(alpha / 2) * underNull + normalIsf(1 - power) * underEffect) / effect;
  const champion = root * root * design;
  return { champion, challenger: champion * ratio };
}

/** 1 + ((1+cv²)·m̄ − 1)·ICC: design effect of subjects with m̄ observations on average, spread cv (Eldridge 2006). */
export function plannedDesignEffect(meanSize: number, cv: number, icc: number): number {
  return 1 + ((1 + cv * cv) * meanSize - 1) * icc;
}

/** The intra-class correlation that makes this design effect: `plannedDesignEffect` the other way round, at least 0. */
export function correlationOf(design: number, meanSize: number, cv: number): number {
  const excess = (1 + cv * cv) * meanSize - 1;
  return excess > 0 ? Math.min(1, Math.max(0, (design - 1) / excess)) : 0;
}

/**
 * Power of the two-sided two-proportion z-test with these sizes, the other direction left out; `sampleSize` turned round.
 */
export function powerOfSizes(
  sizes: ArmSizes,
  { alpha, p0, effect, design = 1 }: Omit<SampleSizeInput, 'power' | 'share'>,
): number {
  const p1 = p0 + effect;
  if (!(p1 >= 0 && p1 <= 1)) throw new RangeError(`no such effect: ${p0} to ${p1}`);
  const pooled = (p0 * sizes.champion + p1 * sizes.challenger) / (sizes.champion + sizes.challenger);
  const underNull = Math.sqrt(pooled * (1 - pooled) * (1 / sizes.champion + 1 / sizes.challenger));
  const underEffect = Math.sqrt((p0 * (1 - p0)) / sizes.champion + (p1 * (1 - p1)) / sizes.challenger);
  const root = Math.sqrt(design);
  return normalSf((normalIsf(alpha / 2) * underNull * root - Math.abs(effect)) / (underEffect * root));
}
