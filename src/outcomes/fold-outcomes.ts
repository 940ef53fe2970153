import { type Db, inTransaction } from '../db/index.js';
import { MOVED_SUMS, quoted, SUMS } from './moved-sums.js';
import type { OutcomeTerms } from './outcome-terms.js';
import { subjectsAt } from './subjects-at.js';

export interface FoldedOutcomes {
  /** Subjects counted anew; one of two experiments is two. */
  subjects: number;
  /** False: the time was up, or another fold was at it, before everything that was due had been counted. */
  done: boolean;
}

/** Subjects a statement, and so a transaction. */
const BATCH = 5_000;
/** Notes that a statement reads: many are of the same subjects, who are then counted anew once and not for every note. */
const READ = 50_000;

/** Experiments of which somebody is due, by the terms of their outcomes. */
const WORK = `
SELECT c.terms, array_agg(c.experiment_id::text) AS experiments
  FROM outcome_cuts c JOIN experiments e ON e.id = c.experiment_id AND e.ended_at IS NULL
 WHERE c.feedback_window_ms = 0
   AND (EXISTS (SELECT FROM outcome_changes n WHERE n.experiment_id = c.experiment_id)
     OR EXISTS (SELECT FROM outcome_cuts every JOIN outcome_subjects s
                    ON s.experiment_id = every.experiment_id AND s.feedback_window_ms = every.feedback_window_ms
                 WHERE every.experiment_id = c.experiment_id AND s.valid_until < 'infinity' AND s.valid_until <= $1))
 GROUP BY c.terms`;

// The first cut of an experiment stands for all of them. A fold that finds it locked leaves the experiment to the other one.
const LOCK = `
SELECT experiment_id FROM outcome_cuts
 WHERE experiment_id = ANY($1::uuid[]) AND feedback_window_ms = 0
 ORDER BY experiment_id FOR UPDATE SKIP LOCKED`;

/** $1: the instant, $2: the experiments, and more as `parameter` makes them. */
function foldSql(terms: OutcomeTerms, parameter: (value: unknown) => string): string {
  return `
WITH cuts AS MATERIALIZED (
  SELECT experiment_id, array_agg(feedback_window_ms) AS windows FROM outcome_cuts WHERE experiment_id = ANY($2::uuid[]) GROUP BY experiment_id
), noted AS MATERIALIZED (
  SELECT n.*, cuts.windows
    FROM cuts CROSS JOIN LATERAL (
      SELECT experiment_id, id, subject FROM outcome_changes WHERE experiment_id = cuts.experiment_id ORDER BY id LIMIT ${READ}
    ) n LIMIT ${READ}
), changed AS MATERIALIZED (
  SELECT experiment_id, subject, windows, array_agg(id) AS ids FROM noted GROUP BY experiment_id, subject, windows LIMIT ${BATCH}
), ripe AS MATERIALIZED (
  SELECT s.*, cuts.windows
    FROM cuts CROSS JOIN LATERAL unnest(cuts.windows) w (feedback_window_ms) CROSS JOIN LATERAL (
      SELECT experiment_id, subject FROM outcome_subjects
       WHERE experiment_id = cuts.experiment_id AND feedback_window_ms = w.feedback_window_ms
         AND valid_until < 'infinity' AND valid_until <= $1 LIMIT ${BATCH}
    ) s LIMIT ${BATCH}
), due AS MATERIALIZED (
  SELECT experiment_id, subject, windows FROM changed UNION SELECT experiment_id, subject, windows FROM ripe
), ${subjectsAt(terms, { asOf: '$1::timestamptz', parameter })}, ${MOVED_SUMS}, drained AS (
  DELETE FROM outcome_changes n USING changed, unnest(changed.ids) ids (id)
   WHERE n.experiment_id = changed.experiment_id AND n.id = ids.id
), stored AS (
  INSERT INTO outcome_subjects AS s (experiment_id, feedback_window_ms, subject, arm, crossed, e, m, x, requests, errors,
                                     second_requests, second_errors, valid_from, valid_until)
  SELECT experiment_id, feedback_window_ms, subject, arm, crossed, e, m, x, requests, errors, second_requests, second_errors,
         valid_from, valid_until
    FROM anew WHERE known
  ON CONFLICT (experiment_id, subject, feedback_window_ms) DO UPDATE
    SET arm = excluded.arm, crossed = excluded.crossed, e = excluded.e, m = excluded.m, x = excluded.x,
        requests = excluded.requests, errors = excluded.errors, second_requests = excluded.second_requests,
        second_errors = excluded.second_errors, valid_from = excluded.valid_from, valid_until = excluded.valid_until
), forgotten AS (
  DELETE FROM outcome_subjects s USING anew
   WHERE NOT anew.known AND s.experiment_id = anew.experiment_id AND s.feedback_window_ms = anew.feedback_window_ms
     AND s.subject = anew.subject
), summed AS (
  UPDATE outcome_sums sums SET ${SUMS.map((name) => `${quoted(name)} = sums.${quoted(name)} + moved.${quoted(name)}`).join(', ')}
    FROM moved
   WHERE sums.experiment_id = moved.experiment_id AND sums.feedback_window_ms = moved.feedback_window_ms AND sums.arm = moved.arm
)
SELECT (SELECT count(*) FROM due) AS subjects, (SELECT count(*) FROM noted) = ${READ} OR (SELECT count(*) FROM changed) = ${BATCH}
       OR (SELECT count(*) FROM ripe) = ${BATCH} AS more`;
}

// What nobody adds up: of experiments that have ended, or that are not of this database.
const SWEEP = `
DELETE FROM outcome_changes n
 WHERE NOT EXISTS (SELECT FROM experiments e WHERE e.id = n.experiment_id AND e.ended_at IS NULL)`;

/**
 * Counts the subjects anew of whom something changed, or for whom it became time, up to `asOf`, and moves the sums by the
 * difference. Counting a subject twice, or as of another moment than the others, changes nothing in what is read. Safe to
 * call at once by many; one experiment is folded by one at a time.
 *
 * @param options.withinMs no new batch is begun after it; what is left is counted by whoever reads, until the next fold
 */
export async function foldOutcomes(
  db: Pick<Db, 'pool'>,
  options: { asOf: Date; withinMs?: number },
): Promise<FoldedOutcomes> {
  const { asOf, withinMs = Number.POSITIVE_INFINITY } = options;
  const until = performance.now() + withinMs;
  const { rows: work } = await db.pool.query<{ terms: OutcomeTerms; experiments: string[] }>(WORK, [asOf]);
  const folded = { subjects: 0, done: true };
  for (const { terms, experiments } of work) {
    for (let more = true; more; ) {
      if (performance.now() > until) return { ...folded, done: false };
      const batch = await foldBatch(db, { asOf, terms, experiments });
      folded.subjects += batch.subjects;
      folded.done &&= batch.all;
      more = batch.more;
    }
  }
  await db.pool.query(SWEEP);
  return folded;
}

function foldBatch(
  db: Pick<Db, 'pool'>,
  { asOf, terms, experiments }: { asOf: Date; terms: OutcomeTerms; experiments: readonly string[] },
): Promise<{ subjects: number; more: boolean; all: boolean }> {
  return inTransaction(db, async (client) => {
    const { rows: locked } = await client.query<{ experiment_id: string }>(LOCK, [experiments]);
    const mine = locked.map(({ experiment_id }) => experiment_id);
    const values: unknown[] = [asOf, mine];
    const sql = foldSql(terms, (value) => `$${values.push(value)}`);
    // A statement of its own: it sees what the fold has committed that had the lock before.
    const { rows } = await client.query<{ subjects: string; more: boolean }>(sql, values);
    const { subjects, more } = rows[0]!;
    return { subjects: Number(subjects), more, all: mine.length === experiments.length };
  });
}
