import type { CustomerTotals, VersionTotals } from './customers.js';

/** Who was in charge before and after. */
export interface BeforeAfter {
  before: number;
  /** The version in charge at the end; the same as `before` when nothing was promoted. */
  after: number;
  /** The candidate of the cycle, if there was one. */
  candidate: number | null;
}

/**
 * The table at the end: one column a version, in the order before, candidate. Figures are what customers saw on live
 * traffic, not what any test set says.
 */
export function beforeAfterTable(traffic: CustomerTotals, versions: BeforeAfter): string {
  const names = [...new Set([versions.before, versions.candidate ?? versions.after, versions.after])].map(String);
  const role = (name: string) => {
    const was = Number(name) === versions.before ? 'before' : '';
    const is = Number(name) === versions.after ? 'now' : '';
    return [was, is].filter(Boolean).join(', ') || 'not kept';
  };
  const seen = names.map((name) => traffic.versions[name]);
  const row = (title: string, figure: (totals: VersionTotals) => string) => [
    title,
    ...seen.map((totals) => (totals ? figure(totals) : '–')),
  ];
  return alignColumns([
    ['', ...names.map((name) => `version ${name} (${role(name)})`)],
    row('right answers', ({ right, asked }) => percent(right, asked)),
    row('thumbs up', ({ thumbsUp, thumbs }) => percent(thumbsUp, thumbs)),
    row('answers', ({ asked }) => whole(asked)),
    row('failed requests', ({ failed }) => whole(failed)),
  ]);
}

/** One line about all traffic: `12,345 requests, 0 failed`, with the causes when some did. */
export function trafficLine({ requests, failed, failures, feedback }: CustomerTotals): string {
  const causes = Object.entries(failures)
    .sort(([, a], [, b]) => b - a)
    .map(([cause, times]) => `${cause}: ${whole(times)}`)
    .join(', ');
  const lost = feedback.lost + feedback.refused;
  return [
    `${whole(requests)} requests, ${whole(failed)} failed${causes && ` (${causes})`}`,
    `${whole(feedback.stored)} ratings stored${lost > 0 ? `, ${whole(lost)} not taken` : ''}`,
  ].join('; ');
}

/** `part` of `all` in percent with one decimal; a dash of nothing. */
export function percent(part: number, all: number): string {
  return all === 0 ? '–' : `${((100 * part) / all).toFixed(1)} %`;
}

/** A count with separators: 12,345. */
export function whole(count: number): string {
  return count.toLocaleString('en-US');
}

/** Rows as lines: the first column to the left, all others to the right, two spaces between. */
export function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
