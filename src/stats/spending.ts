import { normalIsf, normalSf } from './normal.js';

/** How alpha is spent as information grows; `obrien_fleming` keeps nearly all of it for the end. */
export type SpendingType = 'obrien_fleming' | 'pocock';

/**
 * One-sided alpha spent up to the fraction τ of the planned information (Lan and DeMets 1983):
 *
 *     obrien_fleming   f(τ) = 2(1 − Φ(z_{1−α₁/2}/√τ))
 *     pocock           f(τ) = α₁·ln(1 + (e − 1)τ)
 *
 * f(0) = 0 and f(τ) = α₁ for τ >= 1. A two-sided test spends α₁ = alpha/2 on either side: z_{.9875} = 2.2414 for 0.05.
 *
 * @param tau fraction >= 0; more than 1 counts as 1
 * @param alpha1 one-sided, 0 < α₁ < 1
 * @throws RangeError for anything else
 */
export function alphaSpentAt(tau: number, alpha1: number, type: SpendingType = 'obrien_fleming'): number {
  if (!(tau >= 0)) throw new RangeError(`an information fraction is >= 0, not ${tau}`);
  if (!(alpha1 > 0 && alpha1 < 1)) throw new RangeError(`alpha is above 0 and below 1, not ${alpha1}`);
  if (tau === 0) return 0;
  if (tau >= 1) return alpha1;
  if (type === 'pocock') return alpha1 * Math.log1p((Math.E - 1) * tau);
  return 2 * normalSf(normalIsf(alpha1 / 2) / Math.sqrt(tau));
}
