import type pg from 'pg';

/**
 * Of references to choices of stored interactions, the ids of those that have no such choice. The answer must be known:
 * nothing is said of an interaction that has none yet. The first choice is not asked for, so that most batches cost nothing.
 */
export async function missingChoices(
  client: Pick<pg.ClientBase, 'query'>,
  references: readonly { id: string; interaction: string; choiceIndex: number }[],
): Promise<ReadonlySet<string>> {
  const asked = references.filter(({ choiceIndex }) => choiceIndex > 0);
  if (asked.length === 0) return new Set();
  const { rows } = await client.query<{ id: string; choices: number }>(
    `SELECT id, jsonb_array_length(response->'choices') AS choices
       FROM interactions WHERE id = ANY($1::uuid[]) AND jsonb_typeof(response->'choices') = 'array'`,
    [asked.map(({ interaction }) => interaction)],
  );
  const choices = new Map(rows.map((row) => [row.id, row.choices]));
  const missing = asked.filter(({ interaction, choiceIndex }) => choiceIndex >= (choices.get(interaction) ?? Infinity));
  return new Set(missing.map(({ id }) => id));
}
