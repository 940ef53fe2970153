import type { Db } from '../db/index.js';
import { REVIEW_SCORE } from '../interactions/index.js';
import { newestExperiment } from './newest-experiment.js';

/** What a grader sees of an interaction: what was asked and answered, and nothing that says by whom, when or in which arm. */
export interface ReviewItem {
  /** The token it is graded by. */
  item: string;
  messages: unknown;
  /** One text for each choice; null where a choice has none. */
  answers: (string | null)[];
}

// In the order of their tokens, which is by chance.
const ITEMS = `
SELECT r.item, i.request->'messages' AS messages,
       ARRAY(SELECT choice #>> '{message,content}' FROM jsonb_array_elements(i.response->'choices') choice) AS answers
  FROM review_items r JOIN interactions i ON i.id = r.interaction_id
 WHERE r.experiment_id = $1
   AND NOT EXISTS (SELECT FROM feedback f WHERE f.interaction_id = r.interaction_id AND f.kind = 'score' AND f.source = $2
                      AND f.body->>'name' = '${REVIEW_SCORE}' AND f.retracted_at IS NULL)
 ORDER BY r.item
 LIMIT $3`;

/** What was drawn of the newest A/B test and that this source has not graded yet. Throws `unknown_model`, `not_found`. */
export async function readItems(
  db: Db,
  { model, source, limit }: { model: string; source: string; limit: number },
): Promise<ReviewItem[]> {
  const { id } = await newestExperiment(db, model);
  const { rows } = await db.pool.query<ReviewItem>(ITEMS, [id, source, limit]);
  return rows;
}
