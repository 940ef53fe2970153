import { FAILED_IN_ARM_SQL } from '../interactions/index.js';
import { type OutcomeTerms, outcomesSql } from './outcome-terms.js';

/** What the SQL of an outcome may need of an interaction. */
const COLUMNS = [
  ...['id', 'response', 'status', 'tags', 'latency_ms', 'prompt_tokens', 'completion_tokens', 'version'],
];

/**
 * CTEs, as SQL of our own making, that count subjects anew as of an instant. They follow a CTE `due (experiment_id, subject,
 * windows)`, the feedback windows of the cuts in milliseconds; the last of them, `anew`, has a row of `outcome_subjects` for
 * each due subject and window, and `known`: false for a subject of which there is nothing left.
 *
 * What counts is what `recountArms` counts. Beside it, for each subject: of the moments at which one of its counts may change
 * (something received, retracted, or old enough for the cut), the last one up to the instant and the first one after it.
 * Between these two the counts hold, whatever the instant.
 *
 * Everything is looked up subject by subject (LATERAL … OFFSET 0), because Postgres cannot know how many are due: what it
 * takes for few and joins in nested loops may be thousands.
 *
 * Hazard: an outcome may depend on its interaction and the feedback to it only. Whatever else it is to depend on needs its
 * moments here, and triggers that note its changes.
 */
export function subjectsAt(
  terms: OutcomeTerms,
  names: { asOf: string; parameter: (value: unknown) => string },
): string {
  const { asOf, parameter } = names;
  const interactions = `(SELECT ${COLUMNS.map((name) => `i.${name}`).join(', ')})`;
  const outcomes = outcomesSql(terms, { interactions, asOf, parameter });
  const open = 'c.exposed_at <= c.closes_at';
  const counts = `(${open} AND c.asked_at BETWEEN c.exposed_at AND c.closes_at AND c.received_at <= ${asOf})`;
  const requests = (which: string) => `${which} AND c.asked_at <= ${asOf} AND c.received_at <= ${asOf}`;
  const waited = 'c.asked_at + c.waits';
  return `counted AS (
  SELECT due.experiment_id, due.subject, w.feedback_window_ms, w.waits, ${asOf} - w.waits AS closes_at,
         d.arm AS own_arm, d.exposed_at, d.in_both, d.exposures, d.last AS exposed_last, d.next AS exposed_next,
         a.id, a.arm, a.asked_at, a.received_at, a.failed, a.outcome, a.last, a.next
    FROM due
    CROSS JOIN LATERAL (
      SELECT (array_agg(arm ORDER BY exposed_at, arm) FILTER (WHERE exposed_at <= ${asOf}))[1] AS arm,
             min(exposed_at) FILTER (WHERE exposed_at <= ${asOf}) AS exposed_at,
             count(*) FILTER (WHERE exposed_at <= ${asOf}) > 1 AS in_both,
             count(*) AS exposures,
             max(exposed_at) FILTER (WHERE exposed_at <= ${asOf}) AS last,
             min(exposed_at) FILTER (WHERE exposed_at > ${asOf}) AS next
        FROM exposures WHERE experiment_id = due.experiment_id AND subject = due.subject
    ) d
    LEFT JOIN LATERAL (
      SELECT i.id, i.arm, i.asked_at, i.received_at, i.failed, said.outcome, heard.last, heard.next
        FROM (
          SELECT i.arm, i.asked_at, i.received_at, ${COLUMNS.map((name) => `i.${name}`).join(', ')}, ${FAILED_IN_ARM_SQL} AS failed
            FROM interactions i WHERE i.experiment_id = due.experiment_id AND i.subject = due.subject OFFSET 0
        ) i
        CROSS JOIN LATERAL (
          SELECT max(at) FILTER (WHERE at <= ${asOf}) AS last, min(at) FILTER (WHERE at > ${asOf}) AS next
            FROM feedback CROSS JOIN LATERAL (VALUES (received_at), (retracted_at)) moments (at)
           WHERE interaction_id = i.id
        ) heard
        LEFT JOIN LATERAL (
          SELECT outcome FROM (
            ${outcomes.query}
          ) said WHERE ${outcomes.byFeedback ? 'heard.last IS NOT NULL' : 'true'} OFFSET 0
        ) said ON true
      OFFSET 0
    ) a ON true
    CROSS JOIN LATERAL (
      SELECT feedback_window_ms, feedback_window_ms * interval '1 ms' AS waits FROM unnest(due.windows) windows (feedback_window_ms)
    ) w
), anew AS MATERIALIZED (
  SELECT c.experiment_id, c.feedback_window_ms, c.subject,
         CASE WHEN ${open} THEN CASE c.own_arm WHEN 'champion' THEN 'champion' ELSE 'second' END END AS arm,
         ${open} IS TRUE AND (c.in_both OR coalesce(bool_or(c.arm <> c.own_arm) FILTER (WHERE ${counts}), false)) AS crossed,
         count(c.id) FILTER (WHERE ${counts}) AS e,
         count(c.outcome) FILTER (WHERE ${counts}) AS m,
         coalesce(sum(c.outcome) FILTER (WHERE ${counts}), 0)::numeric AS x,
         count(c.id) FILTER (WHERE ${requests(`c.arm = 'champion'`)}) AS requests,
         count(c.id) FILTER (WHERE ${requests(`c.arm = 'champion' AND c.failed`)}) AS errors,
         count(c.id) FILTER (WHERE ${requests(`c.arm <> 'champion'`)}) AS second_requests,
         count(c.id) FILTER (WHERE ${requests(`c.arm <> 'champion' AND c.failed`)}) AS second_errors,
         coalesce(greatest(c.exposed_last, CASE WHEN ${open} THEN c.exposed_at + c.waits END, max(c.last),
           max(c.received_at) FILTER (WHERE c.received_at <= ${asOf}), max(c.asked_at) FILTER (WHERE c.asked_at <= ${asOf}),
           max(${waited}) FILTER (WHERE ${waited} <= ${asOf})), '-infinity') AS valid_from,
         coalesce(least(c.exposed_next, CASE WHEN NOT ${open} THEN c.exposed_at + c.waits END, min(c.next),
           min(c.received_at) FILTER (WHERE c.received_at > ${asOf}), min(c.asked_at) FILTER (WHERE c.asked_at > ${asOf}),
           min(${waited}) FILTER (WHERE ${waited} > ${asOf})), 'infinity') AS valid_until,
         c.exposures > 0 OR count(c.id) > 0 AS known
    FROM counted c
   GROUP BY c.experiment_id, c.subject, c.feedback_window_ms, c.waits, c.closes_at, c.own_arm, c.exposed_at, c.in_both,
            c.exposures, c.exposed_last, c.exposed_next
)`;
}
