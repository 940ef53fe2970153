import { decideAtLook, type ExperimentSettings, type PastLook } from '../../src/experiments/index.js';
import { type ArmSums, clusterVariance, normalIsf, twoProportionZ } from '../../src/stats/index.js';
import { HOURS, type Simulated, STEP } from './traffic.js';

/** How a rule ended an experiment, and after how many hours. */
export interface Ending {
  promoted: boolean;
  hours: number;
}

const HOUR = 3_600_000;
const DAILY = [48, 72, 96, 120];

/** The decision as the product makes it, at its looks, with its floors, guardrail, sample ratio and missing ratings. */
export function decided(
  experiment: Simulated,
  settings: ExperimentSettings,
  feedbackHours: number,
  at = DAILY,
): Ending {
  const past: PastLook[] = [];
  for (const [i, hours] of at.entries()) {
    const step = (hours - feedbackHours) / STEP;
    const look = decideAtLook({
      ...{ settings, startedAt: 0, asOf: hours * HOUR, last: hours === HOURS, crossed: 0, prior: { p0: 0.8, D0: 1 } },
      ...{ champion: experiment.champion[step]!, challenger: experiment.challenger[step]! },
      ...(settings.test === 'group_sequential' && { past: [...past] }),
    });
    if (look.decision !== 'wait') return { promoted: look.decision === 'promote', hours };
    if (look.tested) {
      const { information, tau, z, c, alphaSpent } = look;
      past.push({ k: i + 1, information: information!, tau: tau!, z, c, alphaSpent });
    }
  }
  throw new Error('the last look decides');
}

type Rule = (champion: ArmSums, challenger: ArmSums) => boolean;

/** A rule that is asked at these hours, on everything so far, and promotes as soon as it says yes. */
export function asked(experiment: Simulated, rule: Rule, hours: readonly number[]): Ending {
  for (const at of hours) {
    const [champion, challenger] = [experiment.champion[at / STEP]!, experiment.challenger[at / STEP]!];
    if (champion.n > 0 && challenger.n > 0 && rule(champion, challenger)) return { promoted: true, hours: at };
  }
  return { promoted: false, hours: HOURS };
}

const share = ({ x, n }: ArmSums) => x / n;
const Z = normalIsf(0.025);

/** Each rating for itself, the ordinary z-test, at every look. */
export const naive: Rule = (champion, challenger) => twoProportionZ(champion, challenger).z >= Z;

/** More than 5 % better, relatively, from 100 samples on; no test. */
export const relative: Rule = (champion, challenger) =>
  challenger.n >= 100 && share(challenger) > 1.05 * share(champion);

/** An ordinary z-test with 1,000 samples an arm and two points of difference. */
export const sixHourly: Rule = (champion, challenger) =>
  Math.min(champion.n, challenger.n) >= 1_000 &&
  share(challenger) - share(champion) >= 0.02 &&
  naive(champion, challenger);

/** GrowthBook's default tuning: the number of people for which its interval is narrowest. */
const TUNING = 5_000;
const ALPHA = 0.05;
const RHO_SQUARED = (-2 * Math.log(ALPHA) + Math.log(-2 * Math.log(ALPHA) + 1)) / TUNING;

/** GrowthBook's sequential interval (asymptotic confidence sequence), by its published formula: promoted when above 0. */
export const confidenceSequence: Rule = (champion, challenger) => {
  const variances = [clusterVariance(champion), clusterVariance(challenger)];
  if (variances[0] == null || variances[1] == null) return false;
  // Its n counts people, who are the unit of its analysis.
  const n = champion.N + challenger.N;
  const grown = n * RHO_SQUARED + 1;
  const width = Math.sqrt(
    n * (variances[0] + variances[1]) * ((2 * grown) / (n * n * RHO_SQUARED)) * Math.log(Math.sqrt(grown) / ALPHA),
  );
  return share(challenger) - share(champion) > width;
};

export const daily: readonly number[] = DAILY;
/** Every six hours from 24 on. */
export const everySixHours: readonly number[] = Array.from({ length: (HOURS - 24) / 6 + 1 }, (_, i) => 24 + 6 * i);
