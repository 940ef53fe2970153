import { z } from 'zod';
import type { Db } from '../db/index.js';
import { deriveId, REVIEW_SCORE, storeFeedback } from '../interactions/index.js';
import { assertModel } from './newest-experiment.js';

/** One grade: 0 is bad, 1 is good. Other members of a line, such as the texts it was graded by, are left alone. */
export const grade = z.object({ item: z.uuid(), grade: z.number().min(0).max(1) });
export type Grade = z.output<typeof grade>;

export interface Graded {
  item: string;
  /** `duplicate`: this source gave the same grade before. `unknown`: no such item of this model. */
  status: 'stored' | 'duplicate' | 'unknown' | 'invalid';
}

const DRAWN = `
SELECT r.item, r.interaction_id, r.drawn_at
  FROM review_items r JOIN experiments e ON e.id = r.experiment_id
 WHERE e.model = $1 AND r.item = ANY ($2::uuid[])`;

/**
 * Stores grades of items as feedback of their interactions: a score named `review`. The latest one of a source counts.
 *
 * @param source who graded: `reviewer`, or the name of a judge
 * @throws `unknown_model`
 */
export async function gradeItems(
  db: Db,
  { model, source, grades }: { model: string; source: string; grades: readonly Grade[] },
): Promise<Graded[]> {
  await assertModel(db, model);
  const { rows } = await db.pool.query<{ item: string; interaction_id: string; drawn_at: Date }>(DRAWN, [
    model,
    grades.map(({ item }) => item),
  ]);
  const drawn = new Map(rows.map((row) => [row.item, row]));
  const known = grades.flatMap((given) => {
    const row = drawn.get(given.item.toLowerCase());
    if (row === undefined) return [];
    const { interaction_id: interaction, drawn_at: at, item } = row;
    const id = deriveId(at, REVIEW_SCORE, item, source, String(given.grade));
    return [{ id, interaction, kind: 'score', name: REVIEW_SCORE, value: given.grade, source }];
  });
  const stored = await storeFeedback(db, known, { model });
  // A conflict cannot be: the id says all that was given.
  const statuses = new Map(stored.map(({ id, status }) => [id, status === 'conflict' ? 'invalid' : status]));
  const ids = new Map(known.map(({ id, interaction, value }) => [`${interaction} ${value}`, id]));
  return grades.map(({ item, grade: value }) => {
    const row = drawn.get(item.toLowerCase());
    if (row === undefined) return { item, status: 'unknown' };
    return { item, status: statuses.get(ids.get(`${row.interaction_id} ${value}`)!)! };
  });
}

/** Who graded: not `user`, whose feedback is of another kind and limited. */
export const gradeSource = z
  .string()
  .regex(/^[A-Za-z0-9._/@-]{1,64}$/, 'must be 1 to 64 letters, digits, ".", "_", "/", "@" or "-"')
  .refine((source) => source !== 'user', 'must not be "user"');
