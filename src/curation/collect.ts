import { v5 as uuidv5 } from 'uuid';
import { readCycle } from '../cycles/index.js';
import type { Db } from '../db/index.js';
import type { Policy } from '../policy/index.js';
import { signalOf } from './given-feedback.js';
import { type CollectionWindow, readRows } from './read-rows.js';

/** What there is to learn from, before curation. */
export interface Collection {
  datasetId: string;
  considered: number;
  eligible: number;
  needed: number;
  tooFew: boolean;
}

/** The id of a cycle's dataset: a retry finds the same row. */
export const datasetIdOf = (cycleId: string): string => uuidv5(`understudy:dataset/${cycleId}`, uuidv5.URL);

/** The interactions a cycle may learn from, by its frozen policy. */
export function collectionWindow(policy: Policy, asOf: Date): CollectionWindow {
  return { model: policy.name, from: new Date(asOf.getTime() - policy.curation.lookback), asOf };
}

/**
 * Counts what there is to learn from and opens the cycle's dataset. `considered`: complete interactions of the look-back
 * that no registered version has learned with the same latest feedback. `eligible`: those called right or corrected.
 * `tooFew` when eligible < triggers.min_new_examples; the dataset is then an orphan from the start.
 */
export async function collect(
  db: Db,
  { cycleId, asOf, onProgress }: { cycleId: string; asOf: Date; onProgress?: (rows: number) => void },
): Promise<Collection> {
  const { policy } = await readCycle(db, cycleId);
  let considered = 0;
  let eligible = 0;
  for await (const row of readRows(db, collectionWindow(policy, asOf), { bodies: false })) {
    considered += 1;
    const { kind } = signalOf(row.feedback, policy.curation.min_rating);
    if (kind === 'correction' || kind === 'positive') eligible += 1;
    if (considered % 1_000 === 0) onProgress?.(considered);
  }
  const needed = policy.triggers.min_new_examples;
  const tooFew = eligible < needed;
  const datasetId = datasetIdOf(cycleId);
  // A dataset that is already frozen stays as it is: this is then a late retry.
  await db.pool.query(
    `INSERT INTO datasets (id, model, cycle_id, state, created_at) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (cycle_id) DO UPDATE SET state = excluded.state WHERE datasets.digest IS NULL`,
    [datasetId, policy.name, cycleId, tooFew ? 'orphaned' : 'collecting', asOf],
  );
  return { datasetId, considered, eligible, needed, tooFew };
}
