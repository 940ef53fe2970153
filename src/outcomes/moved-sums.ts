/** The columns of `outcome_sums` that are sums, and what one subject of the arm (alias `s`) that did not cross adds to each. */
const BY_SUBJECT = {
  S: '(s.e > 0)::integer',
  N: '(s.m > 0)::integer',
  E: 's.e',
  n: 's.m',
  x: 's.x',
  m2: 's.m::bigint * s.m',
  x2: 's.x * s.x',
  xm: 's.x * s.m',
  e2: 's.e::bigint * s.e',
  em: 's.e::bigint * s.m',
} as const;

/** The sums of an arm, by their columns. */
export const SUMS = ['O', 'crossed', ...Object.keys(BY_SUBJECT), 'requests', 'errors'] as const;

/** A column's name as SQL: some are capitals, as in the formulas. */
export function quoted(name: string): string {
  return `"${name}"`;
}

/**
 * CTEs that follow those of `subjectsAt`: `kept`, the rows that are stored of the due subjects, and `moved`, by how much the
 * sums of each cut and arm change when `anew` takes their place.
 */
export const MOVED_SUMS = `kept AS MATERIALIZED (
  SELECT s.*
    FROM due CROSS JOIN LATERAL unnest(due.windows) w (feedback_window_ms) CROSS JOIN LATERAL (
      SELECT * FROM outcome_subjects
       WHERE experiment_id = due.experiment_id AND subject = due.subject AND feedback_window_ms = w.feedback_window_ms OFFSET 0
    ) s
), moved AS (
  SELECT s.experiment_id, s.feedback_window_ms, arms.arm,
         coalesce(sum(sign) FILTER (WHERE s.arm = arms.arm), 0) AS "O",
         coalesce(sum(sign) FILTER (WHERE s.arm = arms.arm AND s.crossed), 0) AS crossed,
         ${Object.entries(BY_SUBJECT)
           .map(
             ([name, adds]) =>
               `coalesce(sum(sign * ${adds}) FILTER (WHERE s.arm = arms.arm AND NOT s.crossed), 0) AS ${quoted(name)}`,
           )
           .join(',\n         ')},
         sum(sign * CASE arms.arm WHEN 'champion' THEN requests ELSE second_requests END) AS requests,
         sum(sign * CASE arms.arm WHEN 'champion' THEN errors ELSE second_errors END) AS errors
    FROM (
      SELECT 1 AS sign, experiment_id, feedback_window_ms, arm, crossed, e, m, x, requests, errors, second_requests, second_errors FROM anew
      UNION ALL
      SELECT -1, experiment_id, feedback_window_ms, arm, crossed, e, m, x, requests, errors, second_requests, second_errors FROM kept
    ) s CROSS JOIN (VALUES ('champion'), ('second')) arms (arm)
   GROUP BY s.experiment_id, s.feedback_window_ms, arms.arm
)`;
