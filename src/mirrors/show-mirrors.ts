import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import { parsePolicy } from '../policy/index.js';
import { mirrorsOf } from './event.js';

/** How far a mirror is. */
export interface MirrorStatus {
  model: string;
  mirror: string;
  /** False: no longer in the policy; what waits for it waits until it is there again. */
  configured: boolean;
  delivered: number;
  waiting: number;
  dead: number;
  last_delivered_at: string | null;
  /** Of what waits or is dead, oldest first, at most 20. */
  pending: {
    event: string;
    kind: string;
    state: string;
    attempts: number;
    next_at: string;
    last_error: string | null;
    created_at: string;
  }[];
}

const MOST_SHOWN = 20;

/** How far each mirror is, of one model or of all. Throws `unknown_model`. */
export async function showMirrors(db: Db, model?: string): Promise<MirrorStatus[]> {
  const models = await db.prisma.model.findMany({ where: { ...(model && { name: model }) }, orderBy: { name: 'asc' } });
  if (model !== undefined && models.length === 0) throw new UnderstudyError('unknown_model', { model });
  const shown: MirrorStatus[] = [];
  for (const { name, policy } of models) {
    const configured = mirrorsOf(parsePolicy(policy));
    const known = await db.prisma.mirrorDelivery.findMany({ where: { model: name }, distinct: ['mirror'] });
    const names = new Set([...configured.keys(), ...known.map(({ mirror }) => mirror)]);
    for (const mirror of names) shown.push(await statusOf(db, name, mirror, configured.has(mirror)));
  }
  return shown;
}

async function statusOf({ prisma }: Db, model: string, mirror: string, configured: boolean): Promise<MirrorStatus> {
  const counts = await prisma.mirrorDelivery.groupBy({ by: ['state'], where: { model, mirror }, _count: true });
  const count = (state: string) => counts.find((row) => row.state === state)?._count ?? 0;
  const last = await prisma.mirrorDelivery.findFirst({
    where: { model, mirror, state: 'delivered' },
    orderBy: { deliveredAt: 'desc' },
  });
  const pending = await prisma.mirrorDelivery.findMany({
    where: { model, mirror, state: { not: 'delivered' } },
    orderBy: { nextAt: 'asc' },
    take: MOST_SHOWN,
  });
  const events = await prisma.mirrorEvent.findMany({
    where: { id: { in: pending.map(({ eventId }) => eventId) } },
    orderBy: { seq: 'asc' },
  });
  return {
    model,
    mirror,
    configured,
    delivered: count('delivered'),
    waiting: count('waiting'),
    dead: count('dead'),
    last_delivered_at: last?.deliveredAt?.toISOString() ?? null,
    pending: events.map(({ id, kind, createdAt }) => {
      const { state, attempts, nextAt, lastError } = pending.find(({ eventId }) => eventId === id)!;
      return {
        event: id,
        kind,
        state,
        attempts,
        next_at: nextAt.toISOString(),
        last_error: lastError,
        created_at: createdAt.toISOString(),
      };
    }),
  };
}

/**
 * Has events delivered again, with the id they had: those that are dead, or the one named, also if it was delivered.
 * Answers how many. Throws `unknown_model`, and `not_found` for an event that the model has not.
 */
export async function replayDeliveries(
  db: Db,
  { model, mirror, event, now }: { model: string; mirror?: string | undefined; event?: string | undefined; now: Date },
): Promise<number> {
  if ((await db.prisma.model.count({ where: { name: model } })) === 0)
    throw new UnderstudyError('unknown_model', { model });
  const { count } = await db.prisma.mirrorDelivery.updateMany({
    where: { model, ...(mirror && { mirror }), ...(event === undefined ? { state: 'dead' } : { eventId: event }) },
    data: { state: 'waiting', attempts: 0, nextAt: now, lastError: null, deliveredAt: null },
  });
  if (event !== undefined && count === 0)
    throw new UnderstudyError('not_found', { what: `Event ${event} of ${model}` });
  return count;
}
