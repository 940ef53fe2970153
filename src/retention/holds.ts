import { randomUUID } from 'node:crypto';
import type { Db, Tx } from '../db/index.js';
import { UnderstudyError } from '../errors.js';

/** A legal hold that nobody has released. */
export interface Hold {
  id: string;
  actor: string;
  /** At most 200 characters. */
  reason: string;
  at: Date;
}

interface Request {
  model: string;
  version: number;
  actor: string;
  reason: string;
}

/**
 * Puts a version under hold: its adapter is dropped by nothing and nobody until the hold is released. There may be
 * several. Throws `unknown_version`, and `adapter_dropped` when it is too late.
 */
export async function holdAdapter(db: Pick<Db, 'prisma'>, request: Request): Promise<Hold> {
  const { model, version, actor, reason } = checked(request);
  return db.prisma.$transaction(async (tx) => {
    const dropped = await lockVersion(tx, model, version);
    if (dropped) throw new UnderstudyError('adapter_dropped', { model, version });
    return tx.versionHold.create({
      data: { id: randomUUID(), model, version, actor, reason },
      select: { id: true, actor: true, reason: true, at: true },
    });
  });
}

/**
 * Ends a hold: the one named, or the only one there is. Answers those that are left. Throws `unknown_version`, `not_found`
 * when there is none, and `conflict` when it must be named.
 */
export async function releaseAdapter(
  db: Pick<Db, 'prisma'>,
  request: Request & { hold?: string | undefined },
): Promise<{ released: Hold; left: Hold[] }> {
  const { model, version, actor, reason } = checked(request);
  return db.prisma.$transaction(async (tx) => {
    await lockVersion(tx, model, version);
    const live = (await readHolds({ prisma: tx }, model)).get(version) ?? [];
    const named = live.filter(({ id }) => request.hold === undefined || id === request.hold);
    const [released] = named;
    if (released === undefined) throw new UnderstudyError('not_found', { what: `A hold on ${model}@${version}` });
    if (named.length > 1) {
      const ids = named.map(({ id }) => id).join(', ');
      throw new UnderstudyError('conflict', { detail: `${model}@${version} has several holds: name one of ${ids}.` });
    }
    await tx.versionHold.create({
      data: {
        ...{ id: randomUUID(), model, version, releases: released.id, actor, reason },
      },
    });
    return { released, left: live.filter(({ id }) => id !== released.id) };
  });
}

/** The live holds of a model, by version, oldest first. */
export async function readHolds(db: Pick<Db, 'prisma'> | { prisma: Tx }, model: string): Promise<Map<number, Hold[]>> {
  const rows = await db.prisma.versionHold.findMany({ where: { model }, orderBy: [{ at: 'asc' }, { id: 'asc' }] });
  const released = new Set(rows.map(({ releases }) => releases));
  const holds = new Map<number, Hold[]>();
  for (const { id, version, releases, actor, reason, at } of rows) {
    if (releases !== null || released.has(id)) continue;
    holds.set(version, [...(holds.get(version) ?? []), { id, actor, reason, at }]);
  }
  return holds;
}

/** A record without a reason is none. */
function checked({ model, version, actor, reason }: Request): Request {
  if (reason.trim() === '' || actor.trim() === '')
    throw new UnderstudyError('invalid_option', { option: '--reason', detail: 'say why, and who does it' });
  return { model, version, actor: actor.trim().slice(0, 200), reason: reason.trim().slice(0, 200) };
}

/** Whoever drops waits meanwhile. Answers whether it has been dropped. */
async function lockVersion(tx: Tx, model: string, version: number): Promise<boolean> {
  const [row] = await tx.$queryRaw<{ dropped: boolean }[]>`
    SELECT adapter_dropped_at IS NOT NULL AS dropped FROM versions WHERE model = ${model} AND version = ${version} FOR UPDATE`;
  if (row === undefined) throw new UnderstudyError('unknown_version', { model, version });
  return row.dropped;
}
