/**
 * The outcome of an interaction as SQL, so that every reader means the same by it: thumbs 1 → 1 and −1 → 0; a rating →
 * 1 from `minRating` of its range on, else 0; a correction that differs from the answer → 0; everything else none.
 * Arguments are SQL text of our own making (aliases, `$n` placeholders), never input.
 */

/** 1, 0 or NULL: what one row of feedback (alias `f`) says about its interaction (alias `i`). */
function outcomeOfFeedback(f: string, i: string, minRating: string): string {
  const number = (field: string) => `(${f}.body->>'${field}')::numeric`;
  const isNumber = (field: string) => `jsonb_typeof(${f}.body->'${field}') = 'number'`;
  // Nested on purpose: CASE evaluates in order, so a cast is reached only when the type was found right.
  return `CASE ${f}.kind
    WHEN 'thumbs' THEN CASE WHEN ${isNumber('value')} THEN
      CASE ${number('value')} WHEN 1 THEN 1 WHEN -1 THEN 0 END END
    WHEN 'rating' THEN CASE WHEN ${isNumber('value')} AND ${isNumber('min')} AND ${isNumber('max')} THEN
      CASE WHEN ${number('max')} <= ${number('min')} THEN NULL
           WHEN ${number('value')} - ${number('min')} >= ${minRating}::numeric * (${number('max')} - ${number('min')}) THEN 1
           ELSE 0 END END
    WHEN 'correction' THEN CASE WHEN jsonb_typeof(${f}.body->'value') = 'string'
      AND btrim(${f}.body->>'value', E' \\t\\r\\n') IS DISTINCT FROM
          btrim(${i}.response #>> ARRAY['choices', ${f}.choice_index::text, 'message', 'content'], E' \\t\\r\\n') THEN 0 END
  END`;
}

/**
 * A query of `(interaction_id, outcome)` with one row for each interaction of the relation `interactions` (columns `id`,
 * `response`) that has an outcome as of an instant: the latest by (received_at, id) of the feedback received by then and
 * not retracted by then that has one.
 */
export function latestOutcomes(names: { interactions: string; asOf: string; minRating: string }): string {
  const { interactions, asOf, minRating } = names;
  return `SELECT DISTINCT ON (said.interaction_id) said.interaction_id, said.outcome
    FROM (
      SELECT f.interaction_id, f.received_at, f.id, ${outcomeOfFeedback('f', 'i', minRating)} AS outcome
        FROM ${interactions} i JOIN feedback f ON f.interaction_id = i.id
       WHERE f.kind IN ('thumbs', 'rating', 'correction')
         AND f.received_at <= ${asOf}
         AND (f.retracted_at IS NULL OR f.retracted_at > ${asOf})
    ) said
   WHERE said.outcome IS NOT NULL
   ORDER BY said.interaction_id, said.received_at DESC, said.id DESC`;
}
