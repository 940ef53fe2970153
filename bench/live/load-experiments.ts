import type pg from 'pg';
import type { Db } from '../../src/db/index.js';
import type { LiveExperiment } from './start-experiments.js';

/** A statement writes about so many interactions. */
const PART = 250_000;

// One of ten is in the second arm. `n` counts the subjects of all experiments, `s` those of one.
const SUBJECTS = `
CREATE UNLOGGED TABLE bench_subjects AS
SELECT row_number() OVER (ORDER BY s, e.model) AS n, s, e.*, encode(sha256((e.model || s)::bytea), 'hex') AS subject,
       CASE s % 10 WHEN 0 THEN 'challenger' ELSE 'champion' END AS arm, 1 + (s % 10 = 0)::integer AS version
  FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) e (experiment_id, model, started_at)
  CROSS JOIN generate_series(0, $4::bigint - 1) s`;

/** When a subject asks for the $1-th time: all of them come once before any comes again, evenly from the start to $2. */
const ASKED_AT =
  '(started_at + ($2::timestamptz - started_at) * (($1 * $3::bigint + s) / ($4 * $3::bigint)::double precision))';

// Bodies are small: they would only make the reading of rows, our peer, slower.
const INTERACTIONS = `
INSERT INTO interactions (id, model, asked_at, received_at, subject, experiment_id, arm, assigned_version, version, status,
                          request, response, latency_ms, tags, digest)
SELECT (left(uuid7_floor(asked_at)::text, 14) || '7' || substr(subject, 1 + $1::integer, 3) || '-8' || substr(subject, 20, 3) || '-' || substr(subject, 30 + $1::integer, 12))::uuid,
       model, asked_at, asked_at, subject, experiment_id, arm, version, version,
       CASE n % 251 WHEN 0 THEN 'failed' ELSE 'complete' END, '{"messages": []}',
       '{"choices": [{"index": 0, "message": {"role": "assistant", "content": "an answer"}}]}', 40 + n % 200, '{}', ''
  FROM (SELECT *, ${ASKED_AT} AS asked_at FROM bench_subjects WHERE n > $5 AND n <= $6) asked`;

const EXPOSURES = `
INSERT INTO exposures (experiment_id, subject, arm, version, exposed_at)
SELECT experiment_id, subject, arm, version, ${ASKED_AT} FROM bench_subjects`;

/** 15 of a hundred, a minute later; four of five thumbs up. */
const FEEDBACK = `
INSERT INTO feedback (id, model, interaction_id, kind, body, source, given_at, received_at, digest)
SELECT overlay(id::text PLACING left(reverse(id::text), 3) FROM 16)::uuid, model, id, 'thumbs',
       CASE WHEN hashtext(id::text) % 5 = 0 THEN '{"value": -1}' ELSE '{"value": 1}' END::jsonb, 'user',
       asked_at + interval '1 minute', asked_at + interval '1 minute', ''
  FROM interactions WHERE abs(hashtext(id::text)) % 100 < 15`;

/**
 * Fills experiments with `each` interactions of `subjects` people, evenly over the time from their start to `until`, and
 * their exposures and feedback. Indexes are made after the rows, and the triggers are off meanwhile: the outcomes are noted
 * when their sums begin to be kept.
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
  await withoutTriggers(db, async (one, another) => {
    const names = [experiments.map(({ id }) => id), experiments.map(({ model }) => model)];
    await one.query(SUBJECTS, [...names, experiments.map(({ startedAt }) => startedAt), subjects]);
    await one.query('CREATE INDEX ON bench_subjects (n); ANALYZE bench_subjects');
    const turns = each / subjects;
    const people = experiments.length * subjects;
    const parts = Array.from({ length: turns }, (_, turn) =>
      Array.from({ length: Math.ceil(people / PART) }, (_, part) => [
        turn,
        until,
        subjects,
        turns,
        part * PART,
        (part + 1) * PART,
      ]),
    ).flat();
    await Promise.all(
      [one, another].map(async (client) => {
        for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
          show(`interactions: ${parts.length} parts to come`);
          await client.query(INTERACTIONS, part);
        }
      }),
    );
    show('exposures and feedback');
    await Promise.all([one.query(EXPOSURES, [0, until, subjects, turns]), another.query(FEEDBACK)]);
    await one.query('DROP TABLE bench_subjects');
    await Promise.all(
      [one, another].map(async (client) => {
        for (let index = indexes.shift(); index !== undefined; index = indexes.shift()) {
          show(`index ${index.name}`);
          await client.query(index.definition);
        }
      }),
    );
  });
  show('VACUUM ANALYZE');
  await db.pool.query('VACUUM ANALYZE');
}

async function withoutTriggers(
  db: Db,
  work: (one: pg.PoolClient, another: pg.PoolClient) => Promise<void>,
): Promise<void> {
  const [one, another] = [await db.pool.connect(), await db.pool.connect()];
  try {
    for (const client of [one, another]) {
      await client.query(
        `SET session_replication_role = replica; SET work_mem = '128MB'; SET maintenance_work_mem = '512MB'`,
      );
    }
    await work(one, another);
  } finally {
    for (const client of [one, another]) client.release(true);
  }
}
