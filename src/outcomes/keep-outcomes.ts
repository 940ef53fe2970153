import type { Db } from '../db/index.js';
import { type OutcomeTerms, storedTerms } from './outcome-terms.js';

/** A cut of a live experiment whose sums are kept. */
export interface KeptCut {
  experimentId: string;
  feedbackWindowMs: number;
  /** One for all cuts of an experiment. */
  terms: OutcomeTerms;
}

// Sums begin as zero and everybody who was there already as noted: what is read is right from the first moment.
const KEEP = `
WITH fresh AS (
  INSERT INTO outcome_cuts (experiment_id, feedback_window_ms, terms)
  SELECT wanted.* FROM unnest($1::uuid[], $2::bigint[], $3::jsonb[]) AS wanted (experiment_id, feedback_window_ms, terms)
    JOIN experiments e ON e.id = wanted.experiment_id AND e.ended_at IS NULL
   ORDER BY wanted.experiment_id, wanted.feedback_window_ms
  ON CONFLICT DO NOTHING RETURNING experiment_id, feedback_window_ms
), sums AS (
  INSERT INTO outcome_sums (experiment_id, feedback_window_ms, arm)
  SELECT experiment_id, feedback_window_ms, arm FROM fresh CROSS JOIN (VALUES ('champion'), ('second')) arms (arm)
), begun AS MATERIALIZED (
  SELECT DISTINCT experiment_id FROM fresh
)
INSERT INTO outcome_changes (experiment_id, subject)
SELECT x.experiment_id, x.subject FROM begun JOIN exposures x ON x.experiment_id = begun.experiment_id
UNION
SELECT i.experiment_id, i.subject FROM begun JOIN interactions i ON i.experiment_id = begun.experiment_id WHERE i.subject IS NOT NULL`;

/** Keeps the sums of cuts from now on. Those that are kept already, and of experiments that have ended, are left as they are. */
export async function keepOutcomes(db: Pick<Db, 'pool'>, cuts: readonly KeptCut[]): Promise<void> {
  const missing = await withoutSums(db, cuts);
  if (missing.length === 0) return;
  await db.pool.query(KEEP, [
    missing.map(({ experimentId }) => experimentId),
    missing.map(({ feedbackWindowMs }) => feedbackWindowMs),
    missing.map(({ terms }) => storedTerms(terms)),
  ]);
}

async function withoutSums(db: Pick<Db, 'pool'>, cuts: readonly KeptCut[]): Promise<KeptCut[]> {
  if (cuts.length === 0) return [];
  const { rows } = await db.pool.query<{ experiment_id: string; feedback_window_ms: string }>(
    'SELECT experiment_id, feedback_window_ms FROM outcome_cuts WHERE experiment_id = ANY($1::uuid[])',
    [[...new Set(cuts.map(({ experimentId }) => experimentId))]],
  );
  const kept = new Set(rows.map((row) => `${row.experiment_id} ${row.feedback_window_ms}`));
  return cuts.filter(({ experimentId, feedbackWindowMs }) => !kept.has(`${experimentId} ${feedbackWindowMs}`));
}
