import { randomUUID } from 'node:crypto';
import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import { secretColumns } from './create-key.js';
import { makeKey } from './key.js';
import { lockKey } from './lock-key.js';

export interface Rotation {
  /** The successor; `key` is in no other place. */
  id: string;
  key: string;
  /** The key that it replaces, and when that one ends. */
  replaces: string;
  endsAt: Date;
}

/**
 * Makes a successor with the name, scopes, model and limits of a key, which itself ends after `overlapMs` (or when it
 * would have ended anyway, if that is sooner). They share one budget. A key has one successor: a second rotation of the
 * same key changes nothing and says which one that is. Throws `unknown_key`, `key_rotated`, `key_ended`.
 */
export async function rotateKey(db: Pick<Db, 'prisma'>, id: string, overlapMs: number): Promise<Rotation> {
  return db.prisma.$transaction(async (tx) => {
    const old = await lockKey(tx, id);
    const successor = await tx.key.findUnique({ where: { successorOf: old.id } });
    if (successor !== null) throw new UnderstudyError('key_rotated', { id: old.id, successor: successor.id });
    const now = new Date();
    if (old.revokedAt !== null || (old.expiresAt !== null && old.expiresAt <= now)) {
      throw new UnderstudyError('key_ended', { id: old.id });
    }
    const later = new Date(now.getTime() + overlapMs);
    const endsAt = old.expiresAt !== null && old.expiresAt < later ? old.expiresAt : later;
    const key = makeKey();
    const { name, scopes, model, family, requestsPerMinute, tokensPerDay } = old;
    const { id: made } = await tx.key.create({
      data: {
        id: randomUUID(),
        ...{ name, scopes, model, family, requestsPerMinute, tokensPerDay },
        ...secretColumns(key),
        successorOf: old.id,
      },
      select: { id: true },
    });
    await tx.key.update({ where: { id: old.id }, data: { expiresAt: endsAt } });
    return { id: made, key, replaces: old.id, endsAt };
  });
}
