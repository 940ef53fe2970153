import type { Db } from '../db/index.js';
import type { Policy } from '../policy/index.js';
import { collectionWindow } from './collect.js';
import { readRows } from './read-rows.js';
import type { Reason, Row } from './row.js';
import { STEPS } from './steps.js';

/** What became of one interaction. `step` names the step that left it out. */
export type Verdict = { row: Row; kept: true } | { row: Row; kept: false; step: string; reason: Reason };

/** Sends one row through all steps; made anew for each curation, because steps remember what they have seen. */
export function createCuration(
  curation: Policy['curation'],
  goldenQuestions: ReadonlySet<string>,
): (row: Row) => Verdict {
  const steps = STEPS.map(({ name, prepare }) => ({ name, apply: prepare({ curation, goldenQuestions }) }));
  return (original) => {
    let row = original;
    for (const { name, apply } of steps) {
      const result = apply(row);
      if ('leftOut' in result) return { row, kept: false, step: name, reason: result.leftOut };
      row = result;
    }
    return { row, kept: true };
  };
}

/** Everything the cycle may learn from, newest first, each with its verdict. Nothing is skipped silently. */
export async function* curate(
  db: Db,
  { policy, asOf, goldenQuestions }: { policy: Policy; asOf: Date; goldenQuestions: ReadonlySet<string> },
): AsyncGenerator<Verdict> {
  const judge = createCuration(policy.curation, goldenQuestions);
  for await (const row of readRows(db, collectionWindow(policy, asOf), { bodies: true })) yield judge(row);
}
