import { readCycle } from '../cycles/index.js';
import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import { assertServable } from '../serving/index.js';
import type { RegisteredVersion } from './register-version.js';

/**
 * Makes a version that exists the candidate of a cycle, also one from the archive. Repeating it changes nothing. Throws
 * `unknown_version`, `version_rejected`, `adapter_dropped`, and `conflict` for one that answers people already.
 */
export async function adoptVersion(
  db: Db,
  { cycleId, version }: { cycleId: string; version: number },
): Promise<RegisteredVersion> {
  return db.prisma.$transaction(async (tx) => {
    const { model } = await readCycle({ prisma: tx } as Pick<Db, 'prisma'>, cycleId);
    const row = await tx.version.findUnique({ where: { model_version: { model, version } } });
    if (row === null) throw new UnderstudyError('unknown_version', { model, version });
    assertServable(row);
    const route = await tx.route.findUniqueOrThrow({ where: { model } });
    if (version === route.champion) {
      throw new UnderstudyError('conflict', { detail: `Version ${version} of "${model}" is its champion already.` });
    }
    await tx.version.update({
      where: { model_version: { model, version } },
      data: { state: 'candidate', retiredAt: null },
    });
    await tx.cycle.update({ where: { id: cycleId }, data: { candidate: version } });
    const { label, servedAs } = row;
    return { version, label, servedAs };
  });
}
