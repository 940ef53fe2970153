import type { Db } from '../db/index.js';

/** How a cycle may end. */
export type CycleEnd = 'promoted' | 'rejected' | 'inconclusive' | 'skipped' | 'rolled_back' | 'failed' | 'canceled';

/** Ends a cycle and gives its lease back. A cycle that has ended stays as it ended. */
export async function closeCycle(
  db: Db,
  input: { cycleId: string; outcome: CycleEnd; reason: string; asOf: Date },
): Promise<void> {
  const { cycleId, outcome, reason, asOf } = input;
  await db.prisma.cycle.updateMany({
    where: { id: cycleId, endedAt: null },
    data: { outcome, reason: reason.slice(0, 200), endedAt: asOf },
  });
}
