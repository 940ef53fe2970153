import { decideAtLook, type LookDecision, type LookInput } from './decide.js';
import { type Experiment, ruleOf } from './experiment.js';
import { type Extension, sum } from './extension.js';
import { columnsOf, digestOfLook, extendedBy, type LookEvidence, type LookRow } from './look-row.js';
import { extended, isLastLook, lookTimes } from './look-times.js';
import { columnName, differences, type Misfit } from './misfits.js';
import { toPastLook } from './past-looks.js';
import { digestOfCut, type LookCut } from './read-cut.js';

/**
 * Makes the decision of a stored look again, from its row, and names every field that does not fit: sums and their digest,
 * every figure, the boundary from the looks before, the decision and its sentence, and what the row repeats of its experiment.
 *
 * @param looks all looks of the experiment
 * @param extensions what put off its end, by the route changes
 */
export function verifyLook(
  row: LookRow,
  experiment: Experiment,
  looks: readonly LookRow[],
  extensions: readonly Extension[] = [],
): Misfit[] {
  const { input, figures, explanation } = row.evidence as LookEvidence;
  const asOf = row.takenAt.getTime();
  const past = looks.filter(({ tested, k }) => tested && k < row.k).sort((a, b) => a.k - b.k);
  const settings = ruleOf(experiment);
  // An extension counts for the looks that come after it.
  const extendedMs = sum(extensions.filter((extension) => extension.asOf <= asOf));
  const schedule = extended(settings, extendedMs);
  // Without a Q of the champion's history there is one for each look, which the digest of the cut holds.
  const { slow_limit_ms: frozenLimit } = experiment.settings;
  const slowLimitMs = frozenLimit === null ? (input.slowLimitMs ?? null) : frozenLimit;
  const frozen = {
    settings,
    startedAt: experiment.startedAt.getTime(),
    asOf,
    last: isLastLook(schedule, experiment.startedAt.getTime(), asOf),
    ...extendedBy(extendedMs),
    prior: experiment.prior,
    ...(slowLimitMs !== undefined && { slowLimitMs }),
    // What was measured is an input as the sums are: the digest of the cut holds both.
    ...(settings.metrics && { measured: input.measured }),
    ...(settings.test === 'group_sequential' && { past: past.map(toPastLook) }),
  };
  const cut = {
    ...{ champion: row.champion, second: row.challenger, crossed: row.crossed },
    ...(input.measured !== undefined && { measured: input.measured }),
    ...(input.slowLimitMs !== undefined && { slowLimitMs: input.slowLimitMs }),
  } as LookCut;
  const misfits = [
    ...differences('evidence.input', input, frozen),
    ...differences('policy_digest', row.policyDigest, experiment.policyDigest),
    ...differences('cut_digest', row.cutDigest, digestOfCut(row.experimentId, row.takenAt, cut)),
    ...whenPlanned(row, schedule, experiment),
  ];
  const decision = decideAgain(input, row);
  if (decision instanceof Error) {
    misfits.push({ field: 'evidence.input', stored: input, expected: decision.message });
  } else {
    const { explanation: sentence, ...recomputed } = decision;
    const columns = columnsOf(decision);
    for (const [name, value] of Object.entries(columns)) {
      misfits.push(...differences(columnName(name), row[name as keyof typeof columns], value));
    }
    misfits.push(...differences('evidence.figures', figures, recomputed));
    misfits.push(...differences('evidence.explanation', explanation, sentence));
  }
  // Rows from before there was a digest have none.
  if (row.digest !== null) misfits.push(...differences('digest', row.digest, digestOfLook(row)));
  return misfits;
}

/** Sums that no real arm can have, or settings that make no rule, are an answer here and no failure. */
function decideAgain(input: LookEvidence['input'], row: LookRow): LookDecision | Error {
  const { champion, challenger, crossed } = row as Pick<LookInput, 'champion' | 'challenger' | 'crossed'>;
  try {
    return decideAtLook({ ...input, champion, challenger, crossed });
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) return error;
    throw error;
  }
}

/** The k-th look is not before its time: timers fire late, never early. */
function whenPlanned(row: LookRow, settings: Parameters<typeof lookTimes>[0], { startedAt }: Experiment): Misfit[] {
  const planned = lookTimes(settings, startedAt.getTime())[row.k - 1];
  if (planned !== undefined && row.takenAt.getTime() >= planned) return [];
  const expected = planned === undefined ? 'no such look' : `at ${new Date(planned).toISOString()} or later`;
  return [{ field: 'k', stored: row.k, expected }];
}
