import type { Db } from '../../src/db/index.js';
import type { LiveExperiment } from './start-experiments.js';

/** A statement writes so many interactions. */
const PART = 250_000;

// Interaction n of an experiment is of subject n mod subjects: all of them come once before any comes again. One of ten is in
// the second arm. Bodies are small: they would only make the reading of rows, our peer, slower.
const INTERACTIONS = `
INSERT INTO interactions (id, model, asked_at, received_at, subject, experiment_id, arm, assigned_version, version, status,
                          request, response, latency_ms, tags, digest)
SELECT overlay(overlay((uuid7_floor(asked_at))::text PLACING '7' || left(noise, 3) FROM 15)
               PLACING '8' || substr(noise, 4, 3) || '-' || substr(noise, 7, 12) FROM 20)::uuid,
       model, asked_at, asked_at, encode(sha256((model || s)::bytea), 'hex'), experiment_id,
       CASE s % 10 WHEN 0 THEN 'challenger' ELSE 'champion' END, 1 + (s % 10 = 0)::integer, 1 + (s % 10 = 0)::integer,
       CASE n % 251 WHEN 0 THEN 'failed' ELSE 'complete' END, '{"messages": []}',
       '{"choices": [{"index": 0, "message": {"role": "assistant", "content": "an answer"}}]}', 40 + n % 200, '{}', ''
  FROM (
    SELECT e.*, n, n % $5 AS s, md5(e.experiment_id::text || n) AS noise,
           started_at + ($6::timestamptz - started_at) * n / $7::double precision AS asked_at
      FROM generate_series($1::bigint, $2::bigint) n
      CROSS JOIN unnest($3::uuid[], $4::text[], $8::timestamptz[]) e (experiment_id, model, started_at)
  ) rows`;

const EXPOSURES = `
INSERT INTO exposures (experiment_id, subject, arm, version, exposed_at)
SELECT experiment_id, subject, min(arm), min(assigned_version), min(asked_at) FROM interactions GROUP BY experiment_id, subject`;

/** 15 of a hundred, a minute later; four of five thumbs up. */
const FEEDBACK = `
INSERT INTO feedback (id, model, interaction_id, kind, body, source, given_at, received_at, digest)
SELECT overlay(id::text PLACING left(md5(id::text), 3) FROM 16)::uuid, model, id, 'thumbs',
       jsonb_build_object('value', CASE WHEN hashtext(id::text) % 5 = 0 THEN -1 ELSE 1 END), 'user',
       asked_at + interval '1 minute', asked_at + interval '1 minute', ''
  FROM interactions WHERE abs(hashtext(id::text)) % 100 < 15`;

/**
 * Fills experiments with `each` interactions, evenly over the time from their start to `until`, and their exposures and
 * feedback; then brings the sums up to date, as the watch loop does from the start. Indexes are made after the rows, and the
 * triggers are off meanwhile: the outcomes are noted when their sums begin to be kept.
 */
export async function loadExperiments(
  db: Db,
  load: {
    experiments: readonly LiveExperiment[];
    each: number;
    subjects: number;
    until: Date;
    show: (line: string) => void;
  },
): Promise<void> {
  const { experiments, each, subjects, until, show } = load;
  const { rows: indexes } = await db.pool.query<{ name: string; definition: string }>(
    `SELECT indexrelid::regclass::text AS name, replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ') AS definition
       FROM pg_index WHERE indrelid IN ('interactions'::regclass, 'feedback'::regclass) AND NOT indisprimary`,
  );
  for (const { name } of indexes) await db.pool.query(`DROP INDEX ${name}`);
  const client = await db.pool.connect();
  try {
    await client.query(
      `SET session_replication_role = replica; SET work_mem = '256MB'; SET maintenance_work_mem = '512MB'`,
    );
    const ids = experiments.map(({ id }) => id);
    const part = Math.max(1, Math.floor(PART / experiments.length));
    for (let first = 0; first < each; first += part) {
      show(`interactions: ${(first * experiments.length).toLocaleString('en')}`);
      await client.query(INTERACTIONS, [
        ...[first, Math.min(each, first + part) - 1, ids, experiments.map(({ model }) => model), subjects, until, each],
        experiments.map(({ startedAt }) => startedAt),
      ]);
    }
    show('exposures');
    await client.query(EXPOSURES);
    show('feedback');
    await client.query(FEEDBACK);
    for (const { name, definition } of indexes) {
      show(`index ${name}`);
      await client.query(definition);
    }
  } finally {
    client.release(true);
  }
  show('VACUUM ANALYZE');
  await db.pool.query('VACUUM ANALYZE');
}
