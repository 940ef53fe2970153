/** What became of what was read. `conflict` and `invalid` were refused. */
export interface Counts {
  /** Lines (elements, rows) gone through. */
  lines: number;
  stored: number;
  duplicate: number;
  conflict: number;
  invalid: number;
  /** Rows of the format that are neither interactions nor feedback. */
  ignored: number;
  /** Of `stored`: feedback that came on its own. */
  stored_feedback: number;
  /** Rows that would be taken, in a dry run. */
  valid: number;
}

export const noCounts = (): Counts => ({
  lines: 0,
  stored: 0,
  duplicate: 0,
  conflict: 0,
  invalid: 0,
  ignored: 0,
  stored_feedback: 0,
  valid: 0,
});

export function addCounts(to: Counts, more: Partial<Counts>): void {
  for (const name of Object.keys(to) as (keyof Counts)[]) to[name] += more[name] ?? 0;
}
