import { type ExperimentFacts, showVersion, type VersionRecord } from '../registry/index.js';
import { figure, percent, points } from './figures.js';
import { show, table } from './output.js';
import { versionReference } from './version-reference.js';
import { withDb } from './with-db.js';

/** One version with all its evidence. */
export async function versionShow(reference: string, options: { json?: boolean }): Promise<void> {
  const { model, version } = versionReference(reference);
  const record = await withDb((db) => showVersion(db, model, version));
  show(options.json ?? false, record, () => describe(record).join('\n'));
}

function describe(record: VersionRecord): string[] {
  const { lineage, metrics, adapter } = record;
  const { cycle, dataset, training } = lineage;
  const facts: [string, string | number | null][] = [
    ['label', record.label],
    ['role', record.role],
    ['state', record.state],
    ['kind', record.kind],
    ['served as', record.served_as],
    ['base', record.base_model],
    ['adapter', adapter && `${adapter.uri}, rank ${adapter.rank}`],
    [
      'dropped',
      record.adapter_drop && `${record.adapter_drop.at} by ${record.adapter_drop.actor}: ${record.adapter_drop.reason}`,
    ],
    [
      'held',
      record.holds.map(({ id, actor, reason, at }) => `${id} since ${at} by ${actor}: ${reason}`).join('; ') || null,
    ],
    ['brought', record.registered && `by ${record.registered.actor}: ${record.registered.reason}`],
    ['policy', lineage.policy_digest],
    [
      'cycle',
      cycle && `${cycle.id}: ${cycle.outcome ?? 'running'}${cycle.reason === null ? '' : ` (${cycle.reason})`}`,
    ],
    [
      'dataset',
      dataset && `${dataset.digest ?? dataset.state}: ${dataset.train} rows, ${dataset.validation} to validate`,
    ],
    ['training', training && `job ${training.job ?? 'unknown'}, finished ${training.finished_at ?? 'never'}`],
    ['metrics', Object.keys(metrics).length === 0 ? null : JSON.stringify(metrics)],
    ['created', record.created_at],
  ];
  return [
    `${record.model}@${record.version}${record.sandbox ? ' (sandbox)' : ''}`,
    table(['', ''], facts).split('\n').slice(1).join('\n'),
    ...section('Evaluations', describeEvaluations(record)),
    ...section('Experiments', record.experiments.flatMap(describeExperiment)),
    ...section(
      'All traffic',
      record.champion_moves.map(
        ({ epoch, action, from, to, actor, reason, forced, at }) =>
          `epoch ${epoch}, ${at}: ${action}${forced ? ' (forced)' : ''} from ${from ?? 'nothing'} to ${to} by ${actor}: ${reason}`,
      ),
    ),
  ];
}

function section(title: string, lines: readonly string[]): string[] {
  return ['', `${title}${lines.length === 0 ? ': none' : ''}`, ...lines.map((line) => `  ${line}`)];
}

function describeEvaluations({ evaluations }: VersionRecord): string[] {
  return evaluations.map((row) =>
    row.no_gate
      ? `champion ${row.champion}, challenger ${row.challenger}: no golden set`
      : `champion ${row.champion} ${percent(row.champion_right / row.n)}, challenger ${row.challenger} ${percent(row.challenger_right / row.n)} ` +
        `of ${row.n} golden rows; lower limit ${points(row.lower_bound)}, allowed ${points(-row.margin)}: ${row.passed ? 'passed' : 'not passed'}`,
  );
}

/** An experiment in two lines: what it was and how it ended, and the numbers behind that. */
export function describeExperiment(row: ExperimentFacts): string[] {
  const what = `${row.kind} ${row.id}: champion ${row.champion}, second arm ${row.challenger} (${percent(row.share)})`;
  const end = row.ended_at === null ? 'runs' : `${row.decision}, ${row.reason}`;
  const by = row.ended_by === null ? '' : ` by ${row.ended_by.actor}${row.ended_by.forced ? ' (forced)' : ''}`;
  return [`${what}: ${end}${by}`, `  ${numbersOf(row)}`];
}

function numbersOf({ look, ended_by }: ExperimentFacts): string {
  if (look !== null) {
    const { k, n, x, delta, interval, boundary } = look;
    return (
      `look ${k}: champion ${x.champion}/${n.champion}, challenger ${x.challenger}/${n.challenger}, ` +
      `difference ${points(delta)} in ${limits(interval)}, z ${figure(look.z)} against ${figure(boundary)}`
    );
  }
  if (ended_by === null) return 'no look yet';
  const { n, interval, boundary } = ended_by.evidence;
  return `n ${JSON.stringify(n ?? null)}, interval ${JSON.stringify(interval ?? null)}, boundary ${JSON.stringify(boundary ?? null)}`;
}

function limits(interval: [number, number] | null): string {
  return interval === null ? 'unknown limits' : `[${points(interval[0])}, ${points(interval[1])}]`;
}
