import type { Db } from '../../src/db/index.js';
import type { LiveExperiment, Span } from './traffic.js';

/** A statement writes so many rows, of its own transaction. */
const PART = 50_000;
const WRITERS = 2;
const SUBJECTS = 100_000;

/**
 * Rows as the gateway captures them, made by Postgres itself: about 1.2 KB of request and response, ids and times spread
 * evenly over the span, 100,000 subjects, four of five for the first model, the last days of it in the experiment.
 */
const INTERACTIONS = `
INSERT INTO interactions (id, model, asked_at, received_at, subject, session, experiment_id, arm, assigned_version, version, status,
                          request, response, latency_ms, prompt_tokens, completion_tokens, tags, digest)
SELECT id, model, asked_at, asked_at, subject, left(subject, 16), CASE WHEN live THEN $5::uuid END, CASE WHEN live THEN arm END,
       CASE WHEN live THEN version END, CASE WHEN live THEN version ELSE 1 END,
       CASE WHEN n % 251 = 0 THEN 'failed' ELSE 'complete' END,
       jsonb_build_object('model', model, 'user', subject, 'messages', jsonb_build_array(
         jsonb_build_object('role', 'system', 'content', left(repeat(noise || ' ', 8), 240)),
         jsonb_build_object('role', 'user', 'content', left(repeat(reverse(noise) || ' ', 7), 220)))),
       jsonb_build_object('id', id, 'object', 'chat.completion', 'choices', jsonb_build_array(jsonb_build_object(
         'index', 0, 'finish_reason', 'stop',
         'message', jsonb_build_object('role', 'assistant', 'content', left(repeat(md5(noise) || ' ', 11), 360)))),
         'usage', jsonb_build_object('prompt_tokens', 120, 'completion_tokens', 90, 'total_tokens', 210)),
       40 + n % 200, 120, 90, '{}', sha256(noise::bytea)
  FROM (
    SELECT *, overlay(overlay((uuid7_floor(asked_at))::text PLACING '7' || left(noise, 3) FROM 15)
                      PLACING '8' || substr(noise, 4, 3) || '-' || substr(noise, 7, 12) FROM 20)::uuid AS id,
           model = 'support' AND asked_at >= $6 AS live,
           CASE WHEN ('x' || left(subject, 8))::bit(32)::bigint < $7::double precision * 4294967296 THEN 'challenger' ELSE 'champion' END AS arm,
           CASE WHEN ('x' || left(subject, 8))::bit(32)::bigint < $7::double precision * 4294967296 THEN 2 ELSE 1 END AS version
      FROM (
        SELECT n, md5(n::text) AS noise, $3::timestamptz + ($4::timestamptz - $3::timestamptz) * n / $8::double precision AS asked_at,
               CASE WHEN n % 5 = 0 THEN 'sales' ELSE 'support' END AS model,
               encode(sha256(('subject ' || abs(hashint8(n)) % ${SUBJECTS})::bytea), 'hex') AS subject
          FROM generate_series($1::bigint, $2::bigint) n
      ) asked
  ) rows`;

/** Three of ten interactions of a stretch of ids, rated by thumbs five minutes later. */
const FEEDBACK = `
INSERT INTO feedback (id, model, interaction_id, kind, body, source, given_at, received_at, digest)
SELECT overlay(id::text PLACING left(md5(id::text), 3) FROM 16)::uuid, model, id, 'thumbs',
       jsonb_build_object('value', CASE WHEN hashtext(id::text) % 3 = 0 THEN -1 ELSE 1 END), 'user',
       asked_at + interval '5 minutes', least(asked_at + interval '5 minutes', now()), sha256(id::text::bytea)
  FROM interactions
 WHERE id >= uuid7_floor($1) AND id < uuid7_floor($2) AND abs(hashtext(id::text)) % 10 < 3`;

const EXPOSURES = `
INSERT INTO exposures (experiment_id, subject, arm, version, exposed_at)
SELECT experiment_id, subject, arm, min(assigned_version), min(asked_at) FROM interactions
 WHERE experiment_id = $1 GROUP BY experiment_id, subject, arm`;

/** Fills the tables with `count` interactions, their feedback and exposures. */
export async function fill(
  db: Db,
  { count, span, live, show }: { count: number; span: Span; live: LiveExperiment; show: (line: string) => void },
): Promise<void> {
  const from = new Date(span.from);
  const to = new Date(span.to);
  await inParts(count, async (first, last) => {
    show(`interactions: ${first.toLocaleString('en')} of ${count.toLocaleString('en')}`);
    await db.pool.query(INTERACTIONS, [
      first,
      last - 1,
      from,
      to,
      live.id,
      new Date(live.startedAt),
      live.share,
      count,
    ]);
  });
  show('exposures and feedback');
  await db.pool.query(EXPOSURES, [live.id]);
  const at = (n: number) => new Date(span.from + ((span.to - span.from) * n) / count);
  await inParts(count, (first, last) => db.pool.query(FEEDBACK, [at(first), at(last)]));
}

async function inParts(count: number, work: (first: number, last: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  async function write(): Promise<void> {
    while (next < count) {
      const first = next;
      next = Math.min(count, first + PART);
      await work(first, next);
    }
  }
  await Promise.all(Array.from({ length: WRITERS }, write));
}
