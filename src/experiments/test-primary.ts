import { type ClusteredTest, clusteredTest, type MissingRatings, missingRatings } from '../stats/index.js';
import { compareMetric, improvement } from './compare-metric.js';
import type { LookInput } from './look.js';
import type { MetricRule } from './metric-rules.js';

type Arms = Pick<LookInput, 'champion' | 'challenger' | 'measured'>;

/**
 * The test of the primary metric. A share of interactions is tested on the sums of the arms, in which 1 is what is good;
 * anything else on what was measured. Δ and z count improvement: above 0 the challenger is better, also where less is better.
 * `pChampion` and `pChallenger` of a metric that is no share are its values as measured.
 */
export function testPrimary(arms: Arms, rule: MetricRule | undefined): ClusteredTest {
  if (rule?.type !== 'number') return clusteredTest(arms.champion, arms.challenger);
  const compared = arms.measured && compareMetric(arms.measured, rule);
  if (!compared) {
    const unknown = { pChampion: null, pChallenger: null, dChampion: null, dChallenger: null, delta: null };
    return { ...unknown, tested: false, z: 0, p: 1, information: null, seInterval: null };
  }
  const { tested, champion, challenger, delta, z, p, information, seInterval } = compared;
  return {
    ...{ tested, pChampion: champion?.value ?? null, pChallenger: challenger?.value ?? null },
    ...{ dChampion: null, dChallenger: null, p, information, seInterval },
    delta: delta === null ? null : improvement(rule, delta),
    z: improvement(rule, z),
  };
}

/**
 * Are the arms measured equally often, and if not, what is left of Δ when what is missing speaks against the challenger? Of a
 * metric that is no share that is known only if its range is: without one Δ′ is null, and nothing is promoted on it.
 */
export function missingOutcomes(
  { champion, challenger }: Arms,
  rule: MetricRule | undefined,
  test: ClusteredTest,
): MissingRatings {
  const missing = missingRatings(champion, challenger);
  if (rule?.type !== 'number') return missing;
  const { pChampion, pChallenger, delta } = test;
  if (pChampion === null || pChallenger === null) return { ...missing, deltaImputed: null };
  if (!missing.imbalanced) return { ...missing, deltaImputed: delta };
  if (rule.range === null) return { ...missing, deltaImputed: null };
  const [worst, best] = rule.better === 'higher' ? rule.range : ([...rule.range].reverse() as [number, number]);
  const mixed = (value: number, share: number, other: number) => share * value + (1 - share) * other;
  const [rc, rt] = [missing.rChampion!, missing.rChallenger!];
  const imputed =
    missing.z < 0 ? mixed(pChallenger, rt / rc, worst) - pChampion : pChallenger - mixed(pChampion, rc / rt, best);
  return { ...missing, deltaImputed: improvement(rule, imputed) };
}
