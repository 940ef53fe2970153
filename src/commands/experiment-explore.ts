import { type Exploration, type ExploredEffect, exploreEffect } from '../experiments/index.js';
import { checkedExperimentId } from './experiment-show.js';
import { show, table } from './output.js';
import { withDb } from './with-db.js';

/** The newest A/B test of a model in other lights: less what history explains, and early against late. Decides nothing. */
export async function experimentExplore(model: string, options: { id?: string; json?: boolean }): Promise<void> {
  const id = checkedExperimentId(options.id);
  const explored = await withDb((db) => exploreEffect(db, model, { ...(id !== undefined && { id }) }));
  show(options.json ?? false, explored, () => describe(model, explored));
}

function describe(model: string, explored: Exploration): string {
  const { id, kind, champion, challenger, primary, look, asOf, boundary, plain, adjusted, novelty } = explored;
  const row = (name: string, { delta, interval }: ExploredEffect, subjects: [number, number] | null, note = '') => [
    ...[name, number(delta), interval === null ? 'unknown' : `${number(interval.lower)} to ${number(interval.upper)}`],
    ...[subjects?.[0] ?? '', subjects?.[1] ?? '', note],
  ];
  const pair = ({ champion: one, challenger: other }: { champion: number; challenger: number }): [number, number] => [
    one,
    other,
  ];
  const { early, late, change, lateFrom } = novelty;
  return [
    `${model}: ${kind === 'ab' ? 'experiment' : 'bake'} ${id}: version ${challenger} against ${champion}, by ${primary}; above 0 is better`,
    `${look === null ? 'as of' : `look ${look},`} ${asOf.toISOString()}; ${boundary === null ? 'no boundary, so no intervals' : `intervals with the boundary of the look, ${boundary.toFixed(3)}`}`,
    table(
      ['', 'difference', 'interval', 'champion', 'challenger', ''],
      [
        row('plain', plain, pair(plain.subjects)),
        adjusted === null
          ? row('adjusted for history', { delta: null, interval: null }, null, 'too few were here before')
          : row(
              'adjusted for history',
              adjusted,
              pair(adjusted.subjects),
              `${(100 * adjusted.reduction).toFixed(1)}% less variance, by ${adjusted.days} days before`,
            ),
        row('who came early', { delta: early.delta, interval: null }, pair(early.subjects)),
        row(
          'who came late',
          { delta: late.delta, interval: null },
          pair(late.subjects),
          `from ${lateFrom.toISOString()}`,
        ),
        row('late less early', change, null),
      ],
    ),
    'To look at, not to decide by: only the looks are held against a boundary that counts how often one looks.',
  ].join('\n');
}

function number(value: number | null): string {
  if (value === null) return 'unknown';
  return `${value >= 0 ? '+' : ''}${Number(value.toPrecision(4))}`;
}
