import { type Db, inTransaction } from '../db/index.js';
import { newestExperiment } from './newest-experiment.js';

export interface Drawn {
  experimentId: string;
  /** The how-manieth draw it was. */
  draw: number;
  /** Interactions of each arm that were drawn; fewer than asked for where an arm had fewer. */
  perArm: number;
}

// Both arms give alike, also when one has less than it was asked for: the days weigh the same in either.
const DRAW = `
WITH before AS (
  SELECT coalesce(max(draw), 0) AS draws, coalesce(max(drawn_at), '-infinity') AS until FROM review_items WHERE experiment_id = $1
), ranked AS (
  SELECT i.id, i.arm, row_number() OVER (PARTITION BY i.arm ORDER BY sha256(convert_to($2 || i.id::text, 'UTF8'))) AS place
    FROM interactions i, before
   WHERE i.experiment_id = $1 AND i.arm IN ('champion', 'challenger') AND i.subject IS NOT NULL AND i.status = 'complete'
     AND i.response IS NOT NULL AND i.asked_at > before.until AND i.asked_at <= $4 AND i.received_at <= $4
), most AS (
  SELECT least($3, count(*) FILTER (WHERE arm = 'champion'), count(*) FILTER (WHERE arm = 'challenger')) AS each FROM ranked
), drawn AS (
  INSERT INTO review_items (experiment_id, interaction_id, draw, seed, drawn_at)
  SELECT $1, ranked.id, before.draws + 1, $2, $4 FROM ranked, before, most WHERE ranked.place <= most.each
  RETURNING draw
)
SELECT before.draws + 1 AS draw, most.each AS per_arm FROM before, most`;

/**
 * Draws interactions of the newest A/B test of a model by chance, `perArm` of each arm, of those that were asked since the draw
 * before and answered, until `asOf`. Who is drawn follows from the seed and the ids alone. Throws `unknown_model`, `not_found`.
 */
export async function drawSample(
  db: Db,
  input: { model: string; perArm: number; seed?: string | undefined; asOf: Date },
): Promise<Drawn> {
  const { id: experimentId } = await newestExperiment(db, input.model);
  return inTransaction(db, async (client) => {
    // Two draws at once would both be the next one.
    await client.query('SELECT FROM experiments WHERE id = $1 FOR UPDATE', [experimentId]);
    const { rows } = await client.query<{ draw: number; per_arm: string }>(DRAW, [
      ...[experimentId, input.seed ?? experimentId, input.perArm, input.asOf],
    ]);
    return { experimentId, draw: rows[0]!.draw, perArm: Number(rows[0]!.per_arm) };
  });
}
