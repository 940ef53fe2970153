import type { Db } from '../db/index.js';

/**
 * Says that nothing came of a dataset. One that a registered version was trained on stays as it is; so does one that is
 * not there. The files stay too: another dataset may have the same content.
 */
export async function orphanDataset(db: Db, { datasetId }: { datasetId: string }): Promise<void> {
  await db.pool.query(
    `UPDATE datasets SET state = 'orphaned'
      WHERE id = $1 AND state <> 'orphaned' AND NOT EXISTS (SELECT 1 FROM versions v WHERE v.dataset_id = datasets.id)`,
    [datasetId],
  );
}
