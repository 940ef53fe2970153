/**
 * The beginning of a statement about the cut of an experiment ($1) as of T ($2), with interactions asked until $3: everybody in
 * it by first exposure (`cut`), and what they asked since (`asked`). `WITH` and these two, to be followed by a comma.
 */
export const CUT_SQL = cutSql('true');

/** The same, of interactions (alias `i`) for which a predicate holds. */
export function cutSql(of: string): string {
  return `
WITH exposed AS (
  SELECT DISTINCT ON (subject) subject, arm, exposed_at, count(*) OVER (PARTITION BY subject) > 1 AS in_both
    FROM exposures
   WHERE experiment_id = $1 AND exposed_at <= $2
   ORDER BY subject, exposed_at, arm
), cut AS (
  SELECT subject, arm, exposed_at, in_both FROM exposed WHERE exposed_at <= $3
), asked AS (
  SELECT i.id, i.subject, i.arm, i.response, i.status, i.tags, i.latency_ms, i.prompt_tokens, i.completion_tokens, i.version,
         i.asked_at
    FROM interactions i JOIN cut ON cut.subject = i.subject
   WHERE i.experiment_id = $1 AND i.asked_at >= cut.exposed_at AND i.asked_at <= $3 AND i.received_at <= $2 AND ${of}
)`;
}
