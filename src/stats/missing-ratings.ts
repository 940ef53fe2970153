import type { ArmSums } from './arm-sums.js';
import { clusteredTest } from './clustered-test.js';
import { normalIsf } from './normal.js';

/** |z_r| from which the arms are said to be rated at different rates: two-sided 1 %. */
const RATING_IMBALANCE_Z: number = normalIsf(0.005);

export interface MissingRatings {
  /** share of interactions with an outcome, r = n/E; null without interactions */
  readonly rChampion: number | null;
  readonly rChallenger: number | null;
  /** the clustered test of r, outcomes m of interactions e; 0 when it cannot be tested */
  readonly z: number;
  readonly imbalanced: boolean;
  /** Δ′ after imputation; Δ itself when nothing was imputed; null when an arm has no outcomes */
  readonly deltaImputed: number | null;
}

/**
 * Are the arms rated equally often, and if not, what is left of Δ when the missing ratings speak against the
 * challenger? Rated less often, it gets negative outcomes until it is rated as often as the champion; rated more
 * often, the champion gets positive ones.
 */
export function missingRatings(champion: ArmSums, challenger: ArmSums): MissingRatings {
  const rChampion = champion.E === 0 ? null : champion.n / champion.E;
  const rChallenger = challenger.E === 0 ? null : challenger.n / challenger.E;
  const { z } = clusteredTest(ratingSums(champion), ratingSums(challenger));
  const imbalanced = Math.abs(z) >= RATING_IMBALANCE_Z;
  const shown = { rChampion, rChallenger, z, imbalanced };
  if (champion.n === 0 || challenger.n === 0) return { ...shown, deltaImputed: null };
  const more = { champion: champion.n, challenger: challenger.n };
  let championPositive = champion.x;
  if (imbalanced && z < 0) more.challenger = (challenger.E * champion.n) / champion.E;
  if (imbalanced && z > 0) {
    more.champion = (champion.E * challenger.n) / challenger.E;
    championPositive = champion.x + more.champion - champion.n;
  }
  const deltaImputed =
    (challenger.x * more.champion - championPositive * more.challenger) / (more.champion * more.challenger);
  return { ...shown, deltaImputed };
}

/** Outcomes of interactions, seen as positives of observations. */
function ratingSums(arm: ArmSums) {
  return { N: arm.S, n: arm.E, x: arm.n, m2: arm.e2, x2: arm.m2, xm: arm.em };
}
