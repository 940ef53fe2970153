import type pg from 'pg';
import { binaryArray } from './binary-array.js';

/** An interaction as parked feedback may name it. */
export interface ArrivedInteraction {
  id: string;
  model: string;
  externalId: string | null;
}

// Most of the time nothing is parked: the two conditions that do not depend on the rows are looked at once, by an index of
// their own, and spare everything else. A row of feedback is in one of the two only: parked under a name, or under an id.
const ATTACH = `
WITH arrived AS (
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]) AS arrived (id, model, external_id)
), named AS (
  UPDATE feedback f SET interaction_id = arrived.id
    FROM (SELECT id, model, id::text AS name FROM arrived
          UNION ALL SELECT id, model, external_id FROM arrived WHERE external_id IS NOT NULL) arrived
   WHERE EXISTS (SELECT FROM feedback WHERE interaction_id IS NULL)
     AND f.interaction_id IS NULL AND f.model = arrived.model AND f.external_id = arrived.name
)
UPDATE feedback f SET model = arrived.model
  FROM arrived
 WHERE EXISTS (SELECT FROM feedback WHERE model IS NULL)
   AND f.interaction_id = arrived.id AND f.model IS NULL`;

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
  await client.query({
    name: 'understudy-attach-parked',
    text: ATTACH,
    values: [
      binaryArray(
        'uuid',
        arrived.map(({ id }) => id),
      ),
      binaryArray(
        'text',
        arrived.map(({ model }) => model),
      ),
      binaryArray(
        'text',
        arrived.map(({ externalId }) => externalId),
      ),
    ],
  });
}

/**
 * Whether any feedback waits for an interaction at all. Asked before `attachParked` where interactions come by the
 * thousand: it costs as much as one of them.
 */
export async function somethingIsParked(client: Pick<pg.ClientBase, 'query'>): Promise<boolean> {
  const { rows } = await client.query<{ waits: boolean }>({
    name: 'understudy-something-is-parked',
    text: `SELECT EXISTS (SELECT FROM feedback WHERE interaction_id IS NULL)
               OR EXISTS (SELECT FROM feedback WHERE model IS NULL) AS waits`,
  });
  return rows[0]?.waits === true;
}
