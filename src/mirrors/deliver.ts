import type { Db } from '../db/index.js';
import { errorDetail, UnderstudyError } from '../errors.js';
import type { Policy } from '../policy/index.js';
import type { EventBody } from './event.js';
import { NotTaken, type Secrets, sendWebhook } from './send-webhook.js';
import { syncMlflow } from './sync-mlflow.js';

/** An attempt that is not heard of for so long was lost with its process. */
const LEASE_MS = 120_000;
/** Of one mirror in one pass: a pass ends, whatever waits. */
const MOST = 100;
export const MOST_ATTEMPTS = 16;

export interface DeliverDeps {
  db: Db;
  secrets: Secrets;
  clock: () => Date;
  signal?: AbortSignal;
}

export interface Delivered {
  mirror: string;
  event: string;
  /** Null when it was taken. */
  error: string | null;
  state: 'delivered' | 'waiting' | 'dead';
}

/** How long to wait after so many attempts: 5 s, 10 s, 20 s … an hour; all of them together are about seven hours. */
export function pauseAfter(attempts: number): number {
  return Math.min(3_600_000, 5_000 * 2 ** (attempts - 1));
}

/**
 * Delivers what is due to one mirror of a model, in the order in which it happened. After a failure the rest waits for the
 * next pass. An attempt belongs to whoever claimed it; one whose process died is made again, with the same id.
 */
export async function deliverDue(deps: DeliverDeps, policy: Policy, mirror: string): Promise<Delivered[]> {
  const done: Delivered[] = [];
  while (done.length < MOST && !deps.signal?.aborted) {
    const claimed = await claim(deps, policy.name, mirror);
    if (claimed === null) break;
    const result = await attempt(deps, policy, mirror, claimed);
    done.push(result);
    if (result.error !== null) break;
  }
  return done;
}

interface Claimed {
  id: string;
  body: EventBody;
  attempts: number;
}

/** Materialized: as a plain subquery it may be run again for each row, and claim more than one. */
const CLAIM = `
WITH due AS MATERIALIZED (
  SELECT w.event_id, e.body FROM mirror_deliveries w JOIN mirror_events e ON e.id = w.event_id
   WHERE w.model = $1 AND w.mirror = $2 AND w.state = 'waiting' AND w.next_at <= $3
   ORDER BY e.seq LIMIT 1 FOR UPDATE OF w SKIP LOCKED
)
UPDATE mirror_deliveries d SET attempts = d.attempts + 1, next_at = $4
  FROM due WHERE d.event_id = due.event_id AND d.mirror = $2
RETURNING d.event_id AS id, due.body, d.attempts`;

async function claim({ db, clock }: DeliverDeps, model: string, mirror: string): Promise<Claimed | null> {
  const now = clock();
  const { rows } = await db.pool.query<Claimed>(CLAIM, [model, mirror, now, new Date(now.getTime() + LEASE_MS)]);
  return rows[0] ?? null;
}

async function attempt(deps: DeliverDeps, policy: Policy, mirror: string, claimed: Claimed): Promise<Delivered> {
  const { db, clock } = deps;
  const facts = { mirror, event: claimed.id };
  const where = { eventId_mirror: { eventId: claimed.id, mirror } };
  try {
    await send(deps, policy, mirror, claimed.body);
    await db.prisma.mirrorDelivery.update({
      where,
      data: { state: 'delivered', deliveredAt: clock(), lastError: null },
    });
    return { ...facts, error: null, state: 'delivered' };
  } catch (error) {
    const lastError = describe(error);
    const state = claimed.attempts >= MOST_ATTEMPTS ? 'dead' : 'waiting';
    const nextAt = new Date(clock().getTime() + pauseAfter(claimed.attempts));
    await db.prisma.mirrorDelivery.update({ where, data: { state, nextAt, lastError } });
    return { ...facts, error: lastError, state };
  }
}

async function send(deps: DeliverDeps, policy: Policy, mirror: string, event: EventBody): Promise<void> {
  const { db, secrets, clock, signal } = deps;
  const options = { secrets, ...(signal && { signal }) };
  if (mirror === 'mlflow') return withLock(db, policy.name, () => syncMlflow(db, policy, options));
  const webhook = policy.mirrors.webhooks.find(({ name }) => name === mirror)!;
  return sendWebhook(webhook, event, { ...options, now: clock() });
}

/** One at a time for a model: two that both find a version missing would make it twice. */
async function withLock(db: Db, model: string, work: () => Promise<void>): Promise<void> {
  const client = await db.pool.connect();
  const key = `understudy/mirror/${model}`;
  let broken: Error | undefined;
  try {
    const { rows } = await client.query<{ held: boolean }>(
      'SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS held',
      [key],
    );
    if (!rows[0]!.held) throw new NotTaken('another server is at it');
    try {
      await work();
    } finally {
      await client.query('SELECT pg_advisory_unlock(hashtextextended($1, 0))', [key]).catch((error: Error) => {
        broken = error;
      });
    }
  } finally {
    client.release(broken);
  }
}

/** No address, no secret, no body: a code, or a status. */
function describe(error: unknown): string {
  if (error instanceof NotTaken) return error.message.slice(0, 200);
  if (error instanceof UnderstudyError) return `${error.code}: ${error.message}`.slice(0, 200);
  return errorDetail(error).slice(0, 200);
}
