import type { Db } from '../db/index.js';
import { MOVED_SUMS, quoted, SUMS } from './moved-sums.js';
import { type OutcomeTerms, storedTerms } from './outcome-terms.js';
import { subjectsAt } from './subjects-at.js';

export interface CutsRequest {
  experimentIds: readonly string[];
  /** T. */
  asOf: Date;
  feedbackWindowMs: number;
  terms: OutcomeTerms;
}

/** The sums of both arms of a cut, by the names of `ArmSums` and `crossed`. */
export interface CutSums {
  champion: Record<string, number>;
  second: Record<string, number>;
}

/** With more due than this, counting everything from rows is as quick. */
const MOST_DUE = 20_000;
/** Entries that are looked at to find them: one subject may have many. Beyond, somebody may have been missed. */
const MOST_READ = 200_000;

/** $1: the instant, $2: the experiments, $3: the feedback window, $4: the terms, and more as `parameter` makes them. */
function readSql(terms: OutcomeTerms, parameter: (value: unknown) => string): string {
  return `
WITH cuts AS MATERIALIZED (
  SELECT c.experiment_id, c.feedback_window_ms
    FROM outcome_cuts c JOIN experiments e ON e.id = c.experiment_id AND e.ended_at IS NULL
   WHERE c.experiment_id = ANY($2::uuid[]) AND c.feedback_window_ms = $3 AND c.terms = $4::jsonb
), entries AS MATERIALIZED (
  SELECT s.*
    FROM cuts CROSS JOIN LATERAL (
      SELECT experiment_id, subject FROM outcome_changes WHERE experiment_id = cuts.experiment_id
      UNION ALL
      SELECT experiment_id, subject FROM outcome_subjects
       WHERE experiment_id = cuts.experiment_id AND feedback_window_ms = cuts.feedback_window_ms
         AND valid_until < 'infinity' AND valid_until <= $1
      UNION ALL
      SELECT experiment_id, subject FROM outcome_subjects
       WHERE experiment_id = cuts.experiment_id AND - feedback_window_ms = - cuts.feedback_window_ms AND valid_from > $1
      OFFSET 0
    ) s LIMIT ${MOST_READ}
), found AS MATERIALIZED (
  SELECT DISTINCT experiment_id, subject FROM entries
), behind AS MATERIALIZED (
  SELECT (SELECT count(*) FROM entries) = ${MOST_READ} OR (SELECT count(*) FROM found) > ${MOST_DUE} AS behind
), due AS MATERIALIZED (
  SELECT experiment_id, subject, ARRAY[$3::bigint] AS windows FROM found WHERE NOT (SELECT behind FROM behind)
), ${subjectsAt(terms, { asOf: '$1::timestamptz', parameter })}, ${MOVED_SUMS}
SELECT experiment_id, arm, (SELECT behind FROM behind) AS behind,
       ${SUMS.map((name) => `sum(${quoted(name)}) AS ${quoted(name)}`).join(', ')}
  FROM (
    SELECT sums.experiment_id, sums.arm, ${SUMS.map((name) => `sums.${quoted(name)}`).join(', ')}
      FROM cuts CROSS JOIN LATERAL (
        SELECT * FROM outcome_sums WHERE experiment_id = cuts.experiment_id AND feedback_window_ms = cuts.feedback_window_ms OFFSET 0
      ) sums
    UNION ALL
    SELECT experiment_id, arm, ${SUMS.map(quoted).join(', ')} FROM moved
  ) parts GROUP BY experiment_id, arm`;
}

/**
 * The sums of cuts as of T, exactly as a recount of this moment would find them: the sums that are kept, and in them every
 * subject counted anew that is noted, or whose row does not hold at T. One statement, one snapshot, for any T.
 *
 * @returns by experiment; without those whose sums are not kept (not yet, not with these terms, or not any more), and empty
 *   when so much is due that counting it anew would be no quicker than a recount
 */
export async function readOutcomeSums(
  db: { pool: Pick<Db['pool'], 'query'> },
  request: CutsRequest,
): Promise<ReadonlyMap<string, CutSums>> {
  const { experimentIds, asOf, feedbackWindowMs, terms } = request;
  const cuts = new Map<string, CutSums>();
  if (experimentIds.length === 0) return cuts;
  const values: unknown[] = [asOf, experimentIds, feedbackWindowMs, storedTerms(terms)];
  const sql = readSql(terms, (value) => `$${values.push(value)}`);
  const { rows } = await db.pool.query<Record<string, string> & { behind: boolean }>(sql, values);
  for (const { experiment_id, arm, behind, ...sums } of rows) {
    if (behind) continue;
    const cut = cuts.get(experiment_id!) ?? { champion: {}, second: {} };
    // Postgres answers large numbers as text.
    cut[arm as keyof CutSums] = Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, Number(sum)]));
    cuts.set(experiment_id!, cut);
  }
  return cuts;
}
