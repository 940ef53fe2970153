import type pg from 'pg';
import { type BinaryType, binaryArray } from './binary-array.js';

/** A row of `interactions` as it is written. JSON columns are JSON in UTF-8, times ISO 8601. */
export interface InteractionRow {
  id: string;
  model: string;
  externalId: string | null;
  askedAt: string;
  subject: string | null;
  session: string | null;
  experimentId: string | null;
  arm: string | null;
  assignedVersion: number | null;
  version: number | null;
  status: 'complete' | 'incomplete' | 'failed';
  request: Buffer;
  response: Buffer | null;
  latencyMs: number | null;
  promptTokens: number | null;
  completionTokens: number | null;
  tags: Buffer;
  digest: Buffer;
}

const COLUMNS = [
  ['id', 'uuid', 'id'],
  ['model', 'text', 'model'],
  ['external_id', 'text', 'externalId'],
  ['asked_at', 'timestamptz', 'askedAt'],
  ['subject', 'text', 'subject'],
  ['session', 'text', 'session'],
  ['experiment_id', 'uuid', 'experimentId'],
  ['arm', 'text', 'arm'],
  ['assigned_version', 'integer', 'assignedVersion'],
  ['version', 'integer', 'version'],
  ['status', 'text', 'status'],
  ['request', 'jsonb', 'request'],
  ['response', 'jsonb', 'response'],
  ['latency_ms', 'integer', 'latencyMs'],
  ['prompt_tokens', 'integer', 'promptTokens'],
  ['completion_tokens', 'integer', 'completionTokens'],
  ['tags', 'jsonb', 'tags'],
  ['digest', 'bytea', 'digest'],
] as const satisfies readonly (readonly [string, BinaryType, keyof InteractionRow])[];

const INSERT = `WITH inserted AS (
    INSERT INTO interactions (${COLUMNS.map(([name]) => name).join(', ')})
    SELECT * FROM unnest(${COLUMNS.map(([, type], index) => `$${index + 1}::${type}[]`).join(', ')})
    ON CONFLICT DO NOTHING RETURNING id
  )
  SELECT string_agg(id::text, ',') AS ids FROM inserted`;

/** Inserts what is not there yet and answers the ids it inserted. Rows of stored ids are left as they are. */
export async function insertInteractions(
  client: pg.ClientBase,
  rows: readonly InteractionRow[],
): Promise<ReadonlySet<string>> {
  if (rows.length === 0) return new Set();
  // In order of id: two batches with the same rows then wait for each other instead of deadlocking.
  const ordered = rows.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  // The ids in one value: a row of an answer costs the driver more than the id is worth.
  const { rows: inserted } = await client.query<{ ids: string | null }>({
    name: 'understudy-insert-interactions',
    text: INSERT,
    values: COLUMNS.map(([, type, field]) =>
      binaryArray(
        type,
        ordered.map((row) => row[field]),
      ),
    ),
  });
  return new Set(inserted[0]?.ids?.split(','));
}

/** The digests under which ids are stored. */
export async function readDigests(
  client: pg.ClientBase,
  table: 'interactions' | 'feedback',
  ids: readonly string[],
): Promise<ReadonlyMap<string, Buffer>> {
  if (ids.length === 0) return new Map();
  const { rows } = await client.query<{ id: string; digest: Buffer }>(
    `SELECT id, digest FROM ${table} WHERE id = ANY($1::uuid[])`,
    [ids],
  );
  return new Map(rows.map(({ id, digest }) => [id, digest]));
}
