import type { Db } from '../db/index.js';
import { lockKey } from './lock-key.js';

/**
 * Ends a key, for good. Gateways that have seen it refuse it within seconds. A second time changes nothing and answers
 * when the first one was. Throws `unknown_key`.
 */
export async function revokeKey(
  db: Pick<Db, 'prisma'>,
  id: string,
): Promise<{ id: string; revokedAt: Date; already: boolean }> {
  return db.prisma.$transaction(async (tx) => {
    const key = await lockKey(tx, id);
    if (key.revokedAt !== null) return { id: key.id, revokedAt: key.revokedAt, already: true };
    const revokedAt = new Date();
    await tx.key.update({ where: { id: key.id }, data: { revokedAt } });
    return { id: key.id, revokedAt, already: false };
  });
}
