import { UnderstudyError } from '../errors.js';
import { type ShownExperiment, showExperiment } from '../experiments/index.js';
import { show, table } from './output.js';
import { withDb } from './with-db.js';

type Figure = ShownExperiment['looks'][number]['metrics'][number];

/** The newest experiment of a model: what its looks decided, and every declared metric as of the last one. */
export async function experimentShow(model: string, options: { id?: string; json?: boolean }): Promise<void> {
  const id = checkedExperimentId(options.id);
  const shown = await withDb((db) => showExperiment(db, model, id));
  show(options.json ?? false, shown, () => describe(model, shown));
}

/** Throws `invalid_option` for what cannot be the id of an experiment. */
export function checkedExperimentId(id: string | undefined): string | undefined {
  if (id !== undefined && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id))
    throw new UnderstudyError('invalid_option', { option: '--id', detail: 'must be the id of an experiment' });
  return id;
}

function describe(model: string, shown: ShownExperiment): string {
  const { id, kind, champion, challenger, share, primary, startedAt, endedAt, decision, reason, looks } = shown;
  const end =
    endedAt === null ? 'goes on' : `${decision}${reason === null ? '' : ` (${reason})`} at ${endedAt.toISOString()}`;
  const lines = [
    `${model}: ${kind === 'ab' ? 'experiment' : 'bake'} ${id}: version ${challenger} against ${champion}, share ${share}, by ${primary}`,
    `from ${startedAt.toISOString()}: ${end}`,
    ...looks.map((look) => `look ${look.k}, ${look.takenAt.toISOString()}: ${look.decision}. ${look.explanation}`),
  ];
  const last = looks.at(-1);
  if (last !== undefined && last.metrics.length > 0) {
    const header = ['metric', 'champion', 'of', 'challenger', 'of', 'difference', 'interval', 'better'];
    lines.push(
      table(header, last.metrics.map(metricRow)),
      'Intervals are each for itself, not corrected for the looks.',
    );
  }
  return lines.join('\n');
}

function metricRow({ name, type, better, champion, challenger, delta, interval }: Figure): (string | number)[] {
  const text = (value: number | null) => {
    if (value === null) return 'unknown';
    return type === 'share' ? `${(100 * value).toFixed(1)}%` : String(Number(value.toPrecision(4)));
  };
  const range = interval === null ? 'unknown' : `${text(interval.lower)} to ${text(interval.upper)}`;
  return [
    ...[name, text(champion.value), champion.n, text(challenger.value), challenger.n],
    ...[text(delta), range, better === 'higher' ? 'more' : 'less'],
  ];
}
