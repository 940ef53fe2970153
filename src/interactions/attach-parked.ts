import type pg from 'pg';

/** An interaction as parked feedback may name it. */
export interface ArrivedInteraction {
  id: string;
  model: string;
  externalId: string | null;
}

/**
 * Joins parked feedback to the interactions it was waiting for. Changes nothing that is joined already, so it may run any
 * number of times.
 *
 * Hazard: feedback and its interaction may arrive at the same instant, each in a transaction that does not see the other.
 * Therefore both sides call this once more after their COMMIT: whoever commits last sees both.
 */
export async function attachParked(
  client: Pick<pg.ClientBase, 'query'>,
  arrived: readonly ArrivedInteraction[],
): Promise<void> {
  if (arrived.length === 0) return;
  // Feedback may be parked under the interaction's own id, see parkedName.
  const names = arrived.flatMap(({ id, model, externalId }) => [
    { id, model, name: id },
    ...(externalId === null ? [] : [{ id, model, name: externalId }]),
  ]);
  await client.query(
    `UPDATE feedback f SET interaction_id = arrived.id
       FROM unnest($1::uuid[], $2::text[], $3::text[]) AS arrived (id, model, name)
      WHERE f.interaction_id IS NULL AND f.model = arrived.model AND f.external_id = arrived.name`,
    [names.map(({ id }) => id), names.map(({ model }) => model), names.map(({ name }) => name)],
  );
  await client.query(
    `UPDATE feedback f SET model = arrived.model
       FROM unnest($1::uuid[], $2::text[]) AS arrived (id, model)
      WHERE f.interaction_id = arrived.id AND f.model IS NULL`,
    [arrived.map(({ id }) => id), arrived.map(({ model }) => model)],
  );
}
