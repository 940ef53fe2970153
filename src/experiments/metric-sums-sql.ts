import { type MetricSqlNames, metricValues } from '../interactions/index.js';
import type { MeasuredMetric } from '../policy/index.js';
import type { MetricSums } from '../stats/index.js';

/** One arm's metrics, in the order in which they were asked for. */
export interface MeasuredArm extends MetricSums {
  /** Of each metric: interactions it was measured on, and their subjects. */
  readonly measured: readonly { readonly n: number; readonly subjects: number }[];
}

/**
 * The end of a statement that sums metrics over subjects, arm by arm: common table expressions and a SELECT. Before it come the
 * relations `asked` (`id`, `subject`, `arm`, and the columns that `metricValues` wants) and `cut` (`subject`, `arm`, `in_both`).
 * Subjects who are in both arms, or asked in another than theirs, are left out.
 *
 * Rows are brought together by grouping and not by joins: how many there are is hard to guess here, and a nested loop over
 * them takes for ever. Values are taken as they differ from their mean over both arms, so that large ones keep their digits.
 */
export function metricSumsSql(metrics: readonly MeasuredMetric[], names: MetricSqlNames): string {
  return valueSumsSql(metrics.map((metric) => metricValues(metric, names)));
}

/**
 * The same for queries of `(interaction_id, x, m)`, each of which is a metric then.
 *
 * @param rows the relation that says whose interactions they are: `id`, `subject`, `arm`
 * @param by a yes or no about somebody in `cut` (alias `c`), as SQL: an arm is summed in two rows then, told apart by `side`
 */
export function valueSumsSql(
  metrics: readonly string[],
  { rows = 'asked', by = 'false' }: { rows?: string; by?: string } = {},
): string {
  const each = (text: (j: number) => string) => metrics.map((_, j) => text(j)).join(',\n         ');
  const values = metrics.map((query, j) => `SELECT q.interaction_id, NULL, NULL, ${j}, q.x, q.m FROM (${query}) q`);
  const columns = metrics.flatMap((_, j) => [`(p.x${j} - r.r${j} * p.m${j})`, `p.m${j}`]);
  const sums = columns.map((column, i) => `sum(${column}) AS t${i}`);
  // Of a and b the same as of b and a: half of them is enough.
  const products = columns.flatMap((a, i) => columns.slice(i).map((b, k) => `sum(${a} * ${b}) AS p${i}_${i + k}`));
  return `answers AS (
  SELECT v.id, min(v.subject) AS subject, min(v.arm) AS arm,
         ${each((j) => `sum(v.x) FILTER (WHERE v.metric = ${j}) AS x${j}, sum(v.m) FILTER (WHERE v.metric = ${j}) AS m${j}`)}
    FROM (
      SELECT a.id, a.subject, a.arm, NULL::integer AS metric, NULL::double precision AS x, NULL::double precision AS m FROM ${rows} a
      UNION ALL ${values.join('\n      UNION ALL ')}
    ) v
   GROUP BY v.id
), people AS (
  SELECT min(v.member) AS arm, bool_or(v.side) AS side,
         ${each((j) => `coalesce(sum(v.x${j}), 0) AS x${j}, coalesce(sum(v.m${j}), 0) AS m${j}, count(v.m${j}) AS k${j}`)}
    FROM (
      SELECT c.subject, c.arm AS member, c.in_both, (${by}) AS side, NULL AS arm, ${metrics.map((_, j) => `NULL::double precision AS x${j}, NULL::double precision AS m${j}`).join(', ')} FROM cut c
      UNION ALL
      SELECT w.subject, NULL, false, false, w.arm, ${metrics.map((_, j) => `w.x${j}, w.m${j}`).join(', ')} FROM answers w
    ) v
   GROUP BY v.subject
  HAVING NOT bool_or(v.in_both) AND coalesce(min(v.arm) = min(v.member) AND max(v.arm) = min(v.member), false)
     AND (${metrics.map((_, j) => `count(v.m${j}) > 0`).join(' OR ')})
), refs AS MATERIALIZED (
  SELECT ${each((j) => `coalesce(sum(x${j}) / nullif(sum(m${j}), 0), 0) AS r${j}`)}
    FROM people
)
SELECT p.arm, p.side, count(*) AS "N",
       ${each((j) => `sum(p.k${j}) AS k${j}, count(*) FILTER (WHERE p.k${j} > 0) AS s${j}, min(r.r${j}) AS r${j}`)},
       ${[...sums, ...products].join(', ')}
  FROM people p CROSS JOIN refs r
 GROUP BY p.arm, p.side`;
}

/** A row of that statement; of an arm without a row nothing was measured. */
export function toMeasuredArm(row: Record<string, unknown> | undefined, count: number): MeasuredArm {
  const of = (name: string) => Number(row?.[name] ?? 0);
  const width = 2 * count;
  const range = (length: number) => Array.from({ length }, (_, i) => i);
  return {
    N: of('N'),
    references: range(count).map((j) => of(`r${j}`)),
    totals: range(width).map((i) => of(`t${i}`)),
    products: range(width).flatMap((i) => range(width).map((j) => of(`p${Math.min(i, j)}_${Math.max(i, j)}`))),
    measured: range(count).map((j) => ({ n: of(`k${j}`), subjects: of(`s${j}`) })),
  };
}
