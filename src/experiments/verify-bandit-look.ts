import type { ArmSums } from '../stats/index.js';
import { decideBandit } from './bandit.js';
import { type Experiment, ruleOf } from './experiment.js';
import { type Extension, sum } from './extension.js';
import type { LookRow } from './look-row.js';
import { extended, isLastLook } from './look-times.js';
import { columnName, differences, type Misfit } from './misfits.js';
import { type BanditEvidence, banditOf, banditRow } from './take-bandit-look.js';

/**
 * Makes the decision of a bandit's look again from its row, and names every field that does not fit.
 *
 * @param looks all looks of the experiment: the share until a look is the one that the look before gave
 * @param extensions what put off its end, by the route changes
 */
export function verifyBanditLook(
  row: LookRow,
  experiment: Experiment,
  looks: readonly LookRow[],
  extensions: readonly Extension[] = [],
): Misfit[] {
  const before = looks.filter(({ k }) => k < row.k).sort((a, b) => b.k - a.k)[0];
  const share = before === undefined ? experiment.share : (before.evidence as BanditEvidence).figures.share;
  const [champion, challenger] = [row.champion as ArmSums, row.challenger as ArmSums];
  const asOf = row.takenAt.getTime();
  const extendedMs = sum(extensions.filter((extension) => extension.asOf <= asOf));
  const last = isLastLook(extended(ruleOf(experiment), extendedMs), experiment.startedAt.getTime(), asOf);
  const settings = banditOf(experiment);
  try {
    const frozen = { settings, asOf, last, share };
    const { explanation, ...figures } = decideBandit({ ...frozen, champion, challenger });
    const expected = banditRow(
      experiment,
      { k: row.k, asOf: row.takenAt, champion, challenger },
      { mode: 'bandit', input: frozen, figures, explanation },
    );
    return Object.entries(expected).flatMap(([name, value]) =>
      differences(columnName(name), asPlain(row[name as keyof LookRow]), asPlain(value)),
    );
  } catch (error) {
    // Sums that no real arm can have are an answer here and no failure.
    if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
    return [{ field: 'champion, challenger', stored: [champion, challenger], expected: error.message }];
  }
}

function asPlain(value: unknown): unknown {
  return value instanceof Date ? value.toISOString() : value;
}
