import type pg from 'pg';

/** A row of `feedback` as it is written. `body` holds the kind's own fields as JSON text, times are ISO 8601. */
export interface FeedbackRow {
  id: string;
  model: string | null;
  interactionId: string | null;
  externalId: string | null;
  kind: string;
  body: string;
  choiceIndex: number;
  source: string;
  givenAt: string;
  retracted: boolean;
  digest: Buffer;
}

const INSERT = `INSERT INTO feedback
    (id, model, interaction_id, external_id, kind, body, choice_index, source, given_at, digest, retracted_at)
  SELECT id, model, interaction_id, external_id, kind, body, choice_index, source, given_at, digest, CASE WHEN retracted THEN now() END
    FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::jsonb[], $7::integer[], $8::text[], $9::timestamptz[],
      $10::bytea[], $11::boolean[])
      AS new (id, model, interaction_id, external_id, kind, body, choice_index, source, given_at, digest, retracted)
  ON CONFLICT DO NOTHING RETURNING id`;

/** Inserts what is not there yet and answers the ids it inserted. Rows of stored ids are left as they are. */
export async function insertFeedback(
  client: pg.ClientBase,
  rows: readonly FeedbackRow[],
): Promise<ReadonlySet<string>> {
  if (rows.length === 0) return new Set();
  const ordered = rows.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const column = <K extends keyof FeedbackRow>(field: K) => ordered.map((row) => row[field]);
  const { rows: inserted } = await client.query<{ id: string }>({
    name: 'understudy-insert-feedback',
    text: INSERT,
    values: [
      column('id'),
      column('model'),
      column('interactionId'),
      column('externalId'),
      column('kind'),
      column('body'),
      column('choiceIndex'),
      column('source'),
      column('givenAt'),
      column('digest'),
      column('retracted'),
    ],
  });
  return new Set(inserted.map(({ id }) => id));
}
