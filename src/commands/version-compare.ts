import { UnderstudyError } from '../errors.js';
import { compareVersions, type LiveOutcomes, type VersionComparison } from '../registry/index.js';
import { percent, points } from './figures.js';
import { show, table } from './output.js';
import { describeExperiment } from './version-show.js';
import { wholeNumber } from './whole-number.js';
import { withDb } from './with-db.js';

/** Two versions side by side. */
export async function versionCompare(
  model: string,
  a: string,
  b: string,
  options: { days: string; json?: boolean },
): Promise<void> {
  const days = wholeNumber('--days', options.days);
  if (days > 3_660) throw new UnderstudyError('invalid_option', { option: '--days', detail: 'at most 3660' });
  const request = {
    model,
    a: wholeNumber('A', a),
    b: wholeNumber('B', b),
    days,
    asOf: new Date(),
  };
  const comparison = await withDb((db) => compareVersions(db, request));
  show(options.json ?? false, comparison, () => describe(comparison).join('\n'));
}

function describe({ model, a, b, compatible, lineage, ...found }: VersionComparison): string[] {
  const { evaluation, live } = found;
  const side = (outcomes: LiveOutcomes) => [
    percent(outcomes.positive),
    outcomes.interval === null ? 'unknown' : outcomes.interval.map((limit) => percent(limit)).join(' to '),
    outcomes.n,
    outcomes.subjects,
  ];
  const differences = lineage.map(({ path, a: one, b: other }) => [path, text(one), text(other)]);
  return [
    `${model}@${a.version} (${a.label}) and ${model}@${b.version} (${b.label}): ${compatible ? 'compatible, the same base' : 'NOT compatible'}`,
    '',
    differences.length === 0
      ? 'Made alike.'
      : table(['made from', `version ${a.version}`, `version ${b.version}`], differences),
    ...(found.policies_known ? [] : ['The policy behind one of them is unknown: it was not made here.']),
    '',
    evaluation === null
      ? 'Golden rows: unknown'
      : `Golden rows: ${evaluation.a_right} and ${evaluation.b_right} of ${evaluation.n} right, difference ${points(evaluation.difference)}`,
    '',
    table(
      ['live', 'positive', '95 %', 'n', 'subjects'],
      [
        [`version ${a.version}`, ...side(live.a)],
        [`version ${b.version}`, ...side(live.b)],
      ],
    ),
    '',
    ...found.experiments.flatMap(describeExperiment),
    ...found.notes,
  ];
}

function text(value: unknown): string {
  if (value === null || value === undefined) return 'unknown';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
