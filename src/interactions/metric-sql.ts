import { isShare, type MeasuredMetric } from '../policy/index.js';
import { FAILED_IN_ARM_SQL } from './fallback.js';
import { latestOutcomes } from './outcome-sql.js';

/** What the SQL of a metric is about. Names are SQL text of our own making; what a policy says goes through `parameter`. */
export interface MetricSqlNames {
  /**
   * A relation with the columns `id`, `response`, `status`, `tags`, `latency_ms`, `prompt_tokens`, `completion_tokens` and
   * `version` of interactions.
   */
  interactions: string;
  /** The instant as of which feedback counts. */
  asOf: string;
  /** Share of a rating's range from which it is positive. */
  minRating: number;
  /** Takes a value into the query's parameters and answers its placeholder. */
  parameter: (value: unknown) => string;
  /** Q of the slow_rate metrics by their names, in milliseconds; null or missing: not known, so nothing is measured. */
  slowLimits: Readonly<Record<string, number | null>>;
}

/** Name of the score that a grade of the blind review sample is stored as. */
export const REVIEW_SCORE = 'review';

/** SQL predicate over `interactions` (alias `i`): the interaction was drawn for the blind review sample. */
export const REVIEWED_SQL = 'EXISTS (SELECT FROM review_items r WHERE r.interaction_id = i.id)';

/**
 * A query of `(interaction_id, x, m)` with one row for each interaction that the metric was measured on: the value and its
 * weight, as `double precision`. The metric of a set of interactions is Σx/Σm; m is 1 but for f1. An interaction without a row is unknown.
 */
export function metricValues(metric: MeasuredMetric, names: MetricSqlNames): string {
  const { interactions, asOf, minRating, parameter } = names;
  const from = (value: string, where: string) =>
    `SELECT i.id AS interaction_id, (${value})::double precision AS x, 1::double precision AS m FROM ${interactions} i WHERE ${where}`;
  switch (metric.kind) {
    case 'positive_feedback':
      return `SELECT rated.interaction_id, rated.outcome::double precision AS x, 1::double precision AS m
        FROM (${latestOutcomes({ interactions, asOf, minRating: parameter(minRating) })}) rated`;
    case 'correction_rate': {
      const corrected = `EXISTS (SELECT 1 FROM feedback f WHERE f.interaction_id = i.id AND f.kind = 'correction'
        AND ${counts(asOf)} AND jsonb_typeof(f.body->'value') = 'string' AND ${said('f')} IS DISTINCT FROM ${answer('f')})`;
      return from(`${corrected}::integer`, 'i.response IS NOT NULL');
    }
    case 'error_rate':
      return from(`${FAILED_IN_ARM_SQL}::integer`, 'true');
    case 'slow_rate': {
      const limit = `${parameter(names.slowLimits[metric.name] ?? null)}::double precision`;
      return from(`(i.latency_ms > ${limit})::integer`, `i.latency_ms IS NOT NULL AND ${limit} IS NOT NULL`);
    }
    case 'latency':
      return from('i.latency_ms', 'i.latency_ms IS NOT NULL');
    case 'cost_per_answer': {
      const price = (kind: 'prompt_per_million' | 'completion_per_million') => {
        const others = Object.entries(metric.versions).map(
          ([version, own]) => ` WHEN ${Number(version)} THEN ${parameter(own[kind])}::double precision`,
        );
        const usual = `${parameter(metric[kind])}::double precision`;
        return others.length === 0 ? usual : `CASE i.version${others.join('')} ELSE ${usual} END`;
      };
      return from(
        `(i.prompt_tokens * ${price('prompt_per_million')} + i.completion_tokens * ${price('completion_per_million')}) / 1e6`,
        'i.prompt_tokens IS NOT NULL AND i.completion_tokens IS NOT NULL',
      );
    }
    case 'score':
      return `SELECT DISTINCT ON (i.id) i.id AS interaction_id, (f.body->>'value')::double precision AS x, 1::double precision AS m
        FROM ${interactions} i JOIN feedback f ON f.interaction_id = i.id
       WHERE f.kind = 'score' AND f.body->>'name' = ${parameter(metric.score)}::text
         AND jsonb_typeof(f.body->'value') = 'number' AND ${counts(asOf)}
       ORDER BY i.id, f.received_at DESC, f.id DESC`;
    case 'review':
      return `SELECT DISTINCT ON (i.id) i.id AS interaction_id,
          ((f.body->>'value')::double precision >= ${parameter(metric.pass)}::double precision)::integer::double precision AS x,
          1::double precision AS m
        FROM ${interactions} i JOIN feedback f ON f.interaction_id = i.id
       WHERE ${REVIEWED_SQL} AND f.kind = 'score' AND f.body->>'name' = '${REVIEW_SCORE}'
         AND f.source = ANY (${parameter(metric.sources)}::text[])
         AND jsonb_typeof(f.body->'value') = 'number' AND ${counts(asOf)}
       ORDER BY i.id, f.received_at DESC, f.id DESC`;
    case 'accuracy':
    case 'f1': {
      const known = truths(names, metric.sources);
      if (metric.field === null)
        return `SELECT t.interaction_id, (t.truth IS NOT DISTINCT FROM t.answer)::integer::double precision AS x,
          1::double precision AS m FROM (${known}) t`;
      const path = `${parameter(metric.field.split('.'))}::text[]`;
      const values = `SELECT t.interaction_id, ${json('t.truth', path)} AS truth, ${json('t.answer', path)} AS answer FROM (${known}) t
        WHERE pg_input_is_valid(t.truth, 'jsonb')`;
      if (metric.kind === 'accuracy')
        return `SELECT j.interaction_id, (j.answer IS NOT DISTINCT FROM j.truth)::integer::double precision AS x,
          1::double precision AS m FROM (${values}) j WHERE j.truth IS NOT NULL`;
      // A field that is null is not there. Half of given and true, so that x is never above m.
      return `SELECT j.interaction_id, (j.answer IS NOT DISTINCT FROM j.truth)::integer::double precision AS x,
        (num_nonnulls(j.answer, j.truth) / 2.0)::double precision AS m FROM (${values}) j WHERE num_nonnulls(j.answer, j.truth) > 0`;
    }
  }
}

/**
 * A query of `(interaction_id, outcome)`, of the same shape as `latestOutcomes`: 1 where the metric says good and 0 where it
 * says bad. For a metric that is no share 0 wherever it was measured: it is only counted here, and measured by `metricValues`.
 */
export function outcomesOf(metric: MeasuredMetric, names: MetricSqlNames): string {
  if (metric.kind === 'positive_feedback')
    return latestOutcomes({ ...names, minRating: names.parameter(names.minRating) });
  const good = metric.kind === 'accuracy' || metric.kind === 'review' ? 'v.x' : isShare(metric) ? '1 - v.x' : '0';
  return `SELECT v.interaction_id, (${good})::integer AS outcome FROM (${metricValues(metric, names)}) v`;
}

/** The feedback `f` had come by then and not been taken back by then. */
function counts(asOf: string): string {
  return `f.received_at <= ${asOf} AND (f.retracted_at IS NULL OR f.retracted_at > ${asOf})`;
}

function said(f: string): string {
  return `btrim(${f}.body->>'value', E' \\t\\r\\n')`;
}

/** The answer that the feedback is about, of the interaction `i`. */
function answer(f: string): string {
  return `btrim(i.response #>> ARRAY['choices', ${f}.choice_index::text, 'message', 'content'], E' \\t\\r\\n')`;
}

/** `(interaction_id, truth, answer)`, both as text, by the latest correction of one of the sources. */
function truths({ interactions, asOf, parameter }: MetricSqlNames, sources: readonly string[]): string {
  return `SELECT DISTINCT ON (i.id) i.id AS interaction_id, ${said('f')} AS truth, ${answer('f')} AS answer
    FROM ${interactions} i JOIN feedback f ON f.interaction_id = i.id
   WHERE f.kind = 'correction' AND f.source = ANY (${parameter(sources)}::text[]) AND jsonb_typeof(f.body->'value') = 'string'
     AND ${counts(asOf)}
   ORDER BY i.id, f.received_at DESC, f.id DESC`;
}

/** The JSON at a path of a text; NULL where the text is no JSON, or nothing or null is there. */
function json(text: string, path: string): string {
  return `CASE WHEN pg_input_is_valid(${text}, 'jsonb') THEN nullif(${text}::jsonb #> ${path}, 'null') END`;
}
