import type pg from 'pg';
import type { Db } from '../db/index.js';
import { attachParked } from './attach-parked.js';
import { encodeInteraction } from './encode-interaction.js';
import { type InteractionRow, insertInteractions } from './insert-interactions.js';
import { usageOf } from './interaction-row.js';
import { writeRows } from './write-rows.js';

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
  /** Without subjects in clear, see `hideSubjects`. */
  request: Record<string, unknown>;
  response: Record<string, unknown> | null;
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
  const rows = lastAttempts(captured, retried).flatMap((item) => {
    try {
      return [rowOf(item)];
    } catch {
      // Nested so deep that walking through it overflows the stack.
      refused.push(item.id);
      return [];
    }
  });
  await writeRows(
    db,
    rows,
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
  await attachParked(
    db.pool,
    rows.filter(({ id }) => !refused.includes(id)),
  );
  return { refused };
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

function rowOf(item: CapturedInteraction): InteractionRow {
  const askedAt = item.askedAt.toISOString();
  const { id, model, subject, session, version, request, response, tags } = item;
  return {
    id,
    model,
    externalId: null,
    askedAt,
    subject,
    session,
    experimentId: item.experimentId,
    arm: item.arm,
    assignedVersion: item.assignedVersion,
    version,
    status: item.status,
    latencyMs: Math.min(2_147_483_647, Math.round(item.latencyMs)),
    ...usageOf(response),
    ...encodeInteraction({
      id,
      externalId: null,
      timestamp: askedAt,
      model,
      subject,
      session,
      version,
      latencyMs: item.latencyMs,
      request,
      response,
      tags,
      feedback: [],
    }),
  };
}
