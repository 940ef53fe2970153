import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';

/** Records that a cycle entered a phase. Throws `lease_lost` when the run does not hold the lease (any more): it must stop. */
export async function recordPhase(db: Db, input: { cycleId: string; runId: string; phase: string }): Promise<void> {
  const { cycleId, runId, phase } = input;
  const { count } = await db.prisma.cycle.updateMany({ where: { id: cycleId, runId, endedAt: null }, data: { phase } });
  if (count === 1) return;
  const cycle = await db.prisma.cycle.findUnique({ where: { id: cycleId } });
  throw new UnderstudyError('lease_lost', { model: cycle?.model });
}
