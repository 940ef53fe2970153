import { FAILED_IN_ARM_SQL } from '../interactions/index.js';
import type { CutSums } from '../outcomes/index.js';

/**
 * The end of a statement about an experiment ($1) as of T ($2): the sums of its arms ($4, the champion's first), one row each.
 * It follows a CTE `subjects (subject, arm, crossed, e, m, x)` and a comma.
 */
export const ARM_SUMS_SQL = `requests AS (
  SELECT i.arm, count(*) AS requests, count(*) FILTER (WHERE ${FAILED_IN_ARM_SQL}) AS errors
    FROM interactions i
   WHERE i.experiment_id = $1 AND i.asked_at <= $2 AND i.received_at <= $2
   GROUP BY i.arm
)
SELECT arms.arm,
       count(s.subject) AS "O",
       count(*) FILTER (WHERE s.crossed) AS crossed,
       count(*) FILTER (WHERE NOT s.crossed AND s.e > 0) AS "S",
       count(*) FILTER (WHERE NOT s.crossed AND s.m > 0) AS "N",
       coalesce(sum(s.e) FILTER (WHERE NOT s.crossed), 0) AS "E",
       coalesce(sum(s.m) FILTER (WHERE NOT s.crossed), 0) AS n,
       coalesce(sum(s.x) FILTER (WHERE NOT s.crossed), 0) AS x,
       coalesce(sum(s.m * s.m) FILTER (WHERE NOT s.crossed), 0) AS m2,
       coalesce(sum(s.x * s.x) FILTER (WHERE NOT s.crossed), 0) AS x2,
       coalesce(sum(s.x * s.m) FILTER (WHERE NOT s.crossed), 0) AS xm,
       coalesce(sum(s.e * s.e) FILTER (WHERE NOT s.crossed), 0) AS e2,
       coalesce(sum(s.e * s.m) FILTER (WHERE NOT s.crossed), 0) AS em,
       coalesce(max(r.requests), 0) AS requests,
       coalesce(max(r.errors), 0) AS errors
  FROM unnest($4::text[]) AS arms (arm)
  LEFT JOIN subjects s ON s.arm = arms.arm
  LEFT JOIN requests r ON r.arm = arms.arm
 GROUP BY arms.arm`;

/** What such a statement answered. */
export function armSumsOf(rows: readonly Record<string, string>[], secondArm: string): CutSums {
  const numbers = (arm: string) => {
    const { arm: _arm, ...sums } = rows.find((row) => row.arm === arm)!;
    // Postgres answers counts and sums as text.
    return Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, Number(sum)]));
  };
  return { champion: numbers('champion'), second: numbers(secondArm) };
}
