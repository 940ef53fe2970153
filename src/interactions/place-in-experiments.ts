import type pg from 'pg';
import { isInSecondArm } from '../routing/index.js';
import type { InteractionRow } from './insert-interactions.js';

interface Placed {
  id: string;
  experiment_id: string;
  kind: string;
  champion: number;
  challenger: number;
  share: number;
}

// Half open: a bake starts at the instant its A/B test ends. Where two overlap, the newer one has the route.
const LIVE_THEN = `
SELECT i.id, e.id AS experiment_id, e.kind, e.champion, e.challenger, e.share
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) AS i (id, model, subject, asked_at)
  JOIN LATERAL (
    SELECT * FROM experiments
     WHERE model = i.model AND started_at <= i.asked_at AND (ended_at IS NULL OR i.asked_at < ended_at)
     ORDER BY started_at DESC, id LIMIT 1
  ) e ON true
 WHERE EXISTS (
    SELECT FROM exposures
     WHERE experiment_id = e.id AND subject = i.subject AND exposed_at <= i.asked_at
  )`;

/** Was any experiment of these models live in this span of time? Mostly not, and then no row needs to be looked at. */
const ANY_LIVE_BETWEEN = `
SELECT EXISTS (
  SELECT FROM experiments
   WHERE model = ANY($1) AND started_at <= $3::timestamptz AND (ended_at IS NULL OR $2::timestamptz < ended_at)
) AS any`;

/**
 * The rows with experiment, arm and assigned version of those whose subject was already exposed to the experiment that
 * was live on their model when they were asked. The arm is computed, never taken from a client; the version that answered
 * stays what the client says. All other rows are outside any experiment.
 */
export async function placeInExperiments(
  client: pg.ClientBase,
  rows: readonly InteractionRow[],
): Promise<InteractionRow[]> {
  const named = rows.filter(({ subject }) => subject !== null);
  if (named.length === 0 || !(await anyLive(client, named))) return [...rows];
  const { rows: found } = await client.query<Placed>({
    name: 'understudy-place-in-experiments',
    text: LIVE_THEN,
    values: [
      named.map(({ id }) => id),
      named.map(({ model }) => model),
      named.map(({ subject }) => subject),
      named.map(({ askedAt }) => askedAt),
    ],
  });
  const placed = new Map(found.map((row) => [row.id, row]));
  return rows.map((row) => {
    const experiment = placed.get(row.id);
    if (experiment === undefined || row.subject === null) return row;
    const second = isInSecondArm(experiment.experiment_id, row.subject, experiment.share);
    return {
      ...row,
      experimentId: experiment.experiment_id,
      arm: second ? (experiment.kind === 'bake' ? 'holdback' : 'challenger') : 'champion',
      assignedVersion: second ? experiment.challenger : experiment.champion,
    };
  });
}

async function anyLive(client: pg.ClientBase, rows: readonly InteractionRow[]): Promise<boolean> {
  const models = [...new Set(rows.map(({ model }) => model))];
  // Times are spelt alike (ISO 8601 in UTC), but years beyond 9999 are not in the order of their letters.
  let [earliest, latest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { askedAt } of rows) {
    const at = Date.parse(askedAt);
    earliest = Math.min(earliest, at);
    latest = Math.max(latest, at);
  }
  const { rows: found } = await client.query<{ any: boolean }>({
    name: 'understudy-any-experiment-live',
    text: ANY_LIVE_BETWEEN,
    values: [models, new Date(earliest).toISOString(), new Date(latest).toISOString()],
  });
  return found[0]?.any === true;
}
