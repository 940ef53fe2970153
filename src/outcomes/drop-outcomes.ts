import { type Db, inTransaction } from '../db/index.js';

/**
 * Drops what is kept of an experiment: its sums, and of its subjects everything. While it is live they are made anew the
 * next time somebody asks for them to be kept; until then, and after its end, its rows are counted.
 */
export async function dropOutcomes(db: Pick<Db, 'pool'>, experimentId: string): Promise<void> {
  await inTransaction(db, async (client) => {
    // First what a fold locks: it either has ended, or finds nothing to fold.
    for (const table of ['outcome_cuts', 'outcome_sums', 'outcome_subjects']) {
      await client.query(`DELETE FROM ${table} WHERE experiment_id = $1`, [experimentId]);
    }
  });
}
