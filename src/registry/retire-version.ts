import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';

/**
 * Archives or rejects a version. One that the route uses, as champion, previous or second arm, is refused (`conflict`).
 * Idempotent; a rejected version stays rejected. Throws `unknown_version`.
 */
export async function retireVersion(
  db: Db,
  { model, version, state, asOf }: { model: string; version: number; state: 'archived' | 'rejected'; asOf: Date },
): Promise<void> {
  await db.prisma.$transaction(async (tx) => {
    // The share lock makes a route change wait: without it the version could enter the route between look and write.
    const [route] = await tx.$queryRaw<{ used: boolean }[]>`
      SELECT ${version}::int IN (champion, coalesce(previous, 0), coalesce(challenger, 0)) AS used FROM routes WHERE model = ${model} FOR SHARE`;
    const stored = await tx.version.findUnique({ where: { model_version: { model, version } } });
    if (stored === null) throw new UnderstudyError('unknown_version', { model, version });
    if (stored.state === state || stored.state === 'rejected') return;
    if (route?.used) {
      throw new UnderstudyError('conflict', {
        detail: `Version ${version} of "${model}" is in the route and cannot be ${state}.`,
      });
    }
    await tx.version.update({
      where: { model_version: { model, version } },
      data: { state, retiredAt: stored.retiredAt ?? asOf },
    });
  });
}
