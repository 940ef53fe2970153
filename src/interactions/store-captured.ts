import type pg from 'pg';
import type { Db } from '../db/index.js';
import { attachParked, somethingIsParked } from './attach-parked.js';
import { BinaryRows, copyBinary } from './copy-binary.js';
import { type InteractionRow, insertInteractions } from './insert-interactions.js';
import { usageOf } from './interaction-row.js';
import { storableJson, storableText } from './storable-json.js';
import { refusedValue, retryRaces, writeRows } from './write-rows.js';

export type Arm = 'champion' | 'challenger' | 'holdback';

/** An interaction that the gateway saw itself, and therefore knows what a client may not say. */
export interface CapturedInteraction {
  /** UUIDv7 of `askedAt`. */
  id: string;
  model: string;
  askedAt: Date;
  /** HMAC of the subject, see `hashSubject`. */
  subject: string | null;
  session: string | null;
  /** Experiment and arm come together. */
  experimentId: string | null;
  arm: Arm | null;
  /** The arm's version. */
  assignedVersion: number | null;
  /** The version that answered. */
  version: number | null;
  /** `incomplete`: the client went away before the answer's end, or a streamed answer broke off. */
  status: 'complete' | 'incomplete' | 'failed';
  /** Without subjects in clear, see `hideSubjects`. Either of the two may be its JSON text, where that is at hand. */
  request: Record<string, unknown> | string;
  response: Record<string, unknown> | string | null;
  /** Token counts, of a response that is text; of an object they are read from it. */
  usage?: { promptTokens: number | null; completionTokens: number | null } | undefined;
  latencyMs: number;
  tags: Record<string, string>;
  /** Which attempt of one logical request it was, from 1: the last one is what is kept. Absent: the only one. */
  attempt?: number;
}

/**
 * Stores what the gateway captured; a resend changes nothing. Resolves after COMMIT with the ids of those that Postgres
 * refused for a value in them; throws when Postgres is away, and the batch may be stored again.
 */
export async function storeCaptured(
  db: Pick<Db, 'pool'>,
  captured: readonly CapturedInteraction[],
): Promise<{ refused: string[] }> {
  const refused: string[] = [];
  const retried = new Set(captured.filter(({ attempt = 1 }) => attempt > 1).map(({ id }) => id));
  const rows = lastAttempts(captured, retried).flatMap((item): CapturedRow[] => {
    try {
      return [rowOf(item)];
    } catch {
      // Nested so deep that walking through it overflows the stack.
      refused.push(item.id);
      return [];
    }
  });
  if (rows.length === 0) return { refused };
  try {
    await copy(db, rows, retried);
  } catch (error) {
    // An id that is stored already, or a value that Postgres does not take: nothing of the batch is stored yet.
    if (refusedValue(error) === undefined) throw error;
    refused.push(...(await insert(db, rows, retried)));
  }
  if (await somethingIsParked(db.pool)) {
    await attachParked(
      db.pool,
      rows.filter(({ id }) => !refused.includes(id)),
    );
  }
  return { refused };
}

/** The fast way, for what is stored for the first time and has nothing in it that Postgres does not take. */
async function copy(db: Pick<Db, 'pool'>, rows: readonly CapturedRow[], retried: ReadonlySet<string>): Promise<void> {
  const bytes = encode(rows);
  await retryRaces(db, async (client) => {
    await forgetAttempts(client, [...retried]);
    await copyBinary(client, COPY, bytes);
    if (await somethingIsParked(client)) await attachParked(client, rows);
  });
}

/** The careful way; answers the ids that are refused. */
async function insert(
  db: Pick<Db, 'pool'>,
  rows: readonly CapturedRow[],
  retried: ReadonlySet<string>,
): Promise<string[]> {
  const refused: string[] = [];
  await writeRows(
    db,
    rows.map(spelledAnew),
    async (client, batch) => {
      await forgetAttempts(
        client,
        batch.map(({ id }) => id).filter((id) => retried.has(id)),
      );
      await insertInteractions(client, batch);
      await attachParked(client, batch);
    },
    ({ id }) => refused.push(id),
  );
  return refused;
}

/** Of requests that were sent again while the first attempt still waited here, the last attempt only. */
function lastAttempts(
  captured: readonly CapturedInteraction[],
  retried: ReadonlySet<string>,
): readonly CapturedInteraction[] {
  if (retried.size === 0) return captured;
  const last = new Map<string, CapturedInteraction>();
  for (const item of captured) {
    if ((item.attempt ?? 1) >= (last.get(item.id)?.attempt ?? 1)) last.set(item.id, item);
  }
  return [...last.values()];
}

/** What is stored of earlier attempts makes room for the last one. Feedback stays: it names the same id. */
async function forgetAttempts(client: pg.ClientBase, ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await client.query('DELETE FROM interactions WHERE id = ANY($1::uuid[])', [ids]);
}

/** Numbers that JSON.parse takes and Postgres does not are then as JSON.stringify writes them. */
function spelledAnew(row: CapturedRow): InteractionRow {
  const anew = (json: string) => Buffer.from(storableJson(JSON.parse(json)));
  const response = row.response === null ? null : anew(row.response);
  return { ...row, request: anew(row.request), response, tags: Buffer.from(row.tags) };
}

const COPIED = [
  'id',
  'model',
  'asked_at',
  'subject',
  'session',
  'experiment_id',
  'arm',
  'assigned_version',
  'version',
  'status',
  'request',
  'response',
  'latency_ms',
  'prompt_tokens',
  'completion_tokens',
  'tags',
  'digest',
] as const;
const COPY = `COPY interactions (${COPIED.join(', ')}) FROM STDIN (FORMAT binary)`;

/** The rows as COPY takes them, field by field in the order of `COPIED`. */
function encode(rows: readonly CapturedRow[]): Buffer {
  const size = rows.reduce((sum, { request, response }) => sum + request.length + (response?.length ?? 0) + 512, 0);
  const out = new BinaryRows(size);
  for (const row of rows) {
    out.row(COPIED.length);
    out.uuid(row.id);
    out.text(row.model);
    out.timestamp(Date.parse(row.askedAt));
    out.text(row.subject);
    out.text(row.session);
    out.uuid(row.experimentId);
    out.text(row.arm);
    out.integer(row.assignedVersion);
    out.integer(row.version);
    out.text(row.status);
    out.json(row.request);
    out.json(row.response);
    out.integer(row.latencyMs);
    out.integer(row.promptTokens);
    out.integer(row.completionTokens);
    out.json(row.tags);
    out.bytes(row.digest);
  }
  return out.end();
}

/** As it is copied: JSON is text. */
type CapturedRow = Omit<InteractionRow, 'request' | 'response' | 'tags'> & {
  request: string;
  response: string | null;
  tags: string;
};

/** Of what the gateway saw itself: no record that somebody sends says the same, whatever its id. */
const SEEN = Buffer.alloc(32);

function rowOf(item: CapturedInteraction): CapturedRow {
  const { id, model, subject, session, version, request, response, tags } = item;
  return {
    id,
    model,
    externalId: null,
    askedAt: item.askedAt.toISOString(),
    subject,
    session,
    experimentId: item.experimentId,
    arm: item.arm,
    assignedVersion: item.assignedVersion,
    version,
    status: item.status,
    request: storable(request),
    response: response === null ? null : storable(response),
    latencyMs: Math.min(2_147_483_647, Math.round(item.latencyMs)),
    ...(typeof response === 'string' ? (item.usage ?? NO_USAGE) : usageOf(response)),
    tags: storableJson(tags),
    digest: SEEN,
  };
}

const NO_USAGE = { promptTokens: null, completionTokens: null };

function storable(json: Record<string, unknown> | string): string {
  return typeof json === 'string' ? storableText(json) : storableJson(json);
}
