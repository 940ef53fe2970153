import type pg from 'pg';
import type { ArrivedInteraction } from './attach-parked.js';

/** What feedback says about its interaction: its id, or model and external_id. */
export interface InteractionReference {
  interaction: string | null;
  model: string | null;
  externalId: string | null;
}

/** An interaction that feedback is about. */
export interface FoundInteraction extends ArrivedInteraction {
  /** Hashed; null for one without. */
  subject: string | null;
}

/** Finds the interactions that references mean; undefined for one not seen yet. Of several with one external_id, the latest. */
export async function resolveInteractions(
  client: Pick<pg.ClientBase, 'query'>,
  references: readonly InteractionReference[],
): Promise<(reference: InteractionReference) => FoundInteraction | undefined> {
  const ids = references.flatMap(({ interaction }) => (interaction === null ? [] : [interaction]));
  const named = references.flatMap(({ interaction, model, externalId }) =>
    interaction === null && model !== null && externalId !== null ? [{ model, externalId }] : [],
  );
  const byId = new Map<string, FoundInteraction>();
  if (ids.length > 0) {
    const { rows } = await client.query<FoundInteraction>(
      'SELECT id, model, external_id AS "externalId", subject FROM interactions WHERE id = ANY($1::uuid[])',
      [ids],
    );
    for (const row of rows) byId.set(row.id, row);
  }
  const byName = new Map<string, FoundInteraction>();
  if (named.length > 0) {
    const { rows } = await client.query<FoundInteraction>(
      `SELECT DISTINCT ON (i.model, i.external_id) i.id, i.model, i.external_id AS "externalId", i.subject
         FROM unnest($1::text[], $2::text[]) AS named (model, external_id)
         JOIN interactions i ON i.model = named.model AND i.external_id = named.external_id
        ORDER BY i.model, i.external_id, i.asked_at DESC, i.id DESC`,
      [named.map(({ model }) => model), named.map(({ externalId }) => externalId)],
    );
    for (const row of rows) byName.set(`${row.model}\0${row.externalId}`, row);
  }
  return ({ interaction, model, externalId }) =>
    interaction === null ? byName.get(`${model}\0${externalId}`) : byId.get(interaction);
}
