import type { Db } from '../db/index.js';
import { REVIEW_SCORE } from '../interactions/index.js';
import { newestExperiment } from './newest-experiment.js';

/** How far a review is. Nothing by arm: who grades may read it. */
export interface ReviewStatus {
  experimentId: string;
  draws: number;
  items: number;
  sources: {
    source: string;
    graded: number;
    /** Mean of its grades. */
    mean: number;
    /** How a source other than `reviewer` grades what `reviewer` graded too. */
    calibration: {
      both: number;
      /** Share of those on which both say good or both bad, by a grade from 0.5 on. */
      agreement: number;
      /** Cohen's kappa: 0 is what chance gives, 1 all alike; null where one of them always says the same. */
      kappa: number | null;
    } | null;
  }[];
}

const GRADES = `
SELECT DISTINCT ON (r.item, f.source) r.item, f.source, (f.body->>'value')::double precision AS grade
  FROM review_items r JOIN feedback f ON f.interaction_id = r.interaction_id
 WHERE r.experiment_id = $1 AND f.kind = 'score' AND f.body->>'name' = '${REVIEW_SCORE}' AND f.retracted_at IS NULL
   AND jsonb_typeof(f.body->'value') = 'number'
 ORDER BY r.item, f.source, f.received_at DESC, f.id DESC`;

/** How many items of the newest A/B test were drawn and graded, and how judges compare with people. Throws `unknown_model`, `not_found`. */
export async function reviewStatus(db: Db, model: string): Promise<ReviewStatus> {
  const { id: experimentId } = await newestExperiment(db, model);
  const [{ rows: drawn }, { rows: grades }] = await Promise.all([
    db.pool.query<{ draws: number; items: string }>(
      'SELECT coalesce(max(draw), 0) AS draws, count(*) AS items FROM review_items WHERE experiment_id = $1',
      [experimentId],
    ),
    db.pool.query<{ item: string; source: string; grade: number }>(GRADES, [experimentId]),
  ]);
  const bySource = new Map<string, Map<string, number>>();
  for (const { item, source, grade } of grades)
    bySource.set(source, (bySource.get(source) ?? new Map<string, number>()).set(item, grade));
  const people = bySource.get('reviewer');
  return {
    experimentId,
    draws: drawn[0]!.draws,
    items: Number(drawn[0]!.items),
    sources: [...bySource].sort().map(([source, given]) => ({
      source,
      graded: given.size,
      mean: [...given.values()].reduce((sum, grade) => sum + grade, 0) / given.size,
      calibration: source === 'reviewer' || people === undefined ? null : calibrate(people, given),
    })),
  };
}

function calibrate(
  people: ReadonlyMap<string, number>,
  judge: ReadonlyMap<string, number>,
): ReviewStatus['sources'][number]['calibration'] {
  const both = [...judge].flatMap(([item, grade]) => {
    const theirs = people.get(item);
    return theirs === undefined ? [] : [[theirs >= 0.5, grade >= 0.5] as const];
  });
  if (both.length === 0) return null;
  const share = (of: (pair: readonly [boolean, boolean]) => boolean) => both.filter(of).length / both.length;
  const agreement = share(([a, b]) => a === b);
  const [a, b] = [share(([theirs]) => theirs), share(([, its]) => its)];
  const chance = a * b + (1 - a) * (1 - b);
  return { both: both.length, agreement, kappa: chance === 1 ? null : (agreement - chance) / (1 - chance) };
}
