import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import { type Policy, parsePolicy } from '../policy/index.js';

/** One run of the retraining workflow, with the policy it froze at its start. */
export interface Cycle {
  id: string;
  model: string;
  workflowId: string;
  /** The fencing token: a run whose id is not here has lost the lease. */
  runId: string;
  originalRunId: string;
  trigger: string;
  phase: string;
  /** Overrides applied; durations in milliseconds. */
  policy: Policy;
  policyDigest: string;
  sandbox: boolean;
  candidate: number | null;
  championBefore: number | null;
  outcome: string | null;
  reason: string | null;
  startedAt: Date;
  endedAt: Date | null;
}

export type CycleRow = Awaited<ReturnType<Db['prisma']['cycle']['findFirstOrThrow']>>;

export function toCycle(row: CycleRow): Cycle {
  return { ...row, policy: parsePolicy(row.policy) };
}

/** Throws `not_found`. */
export async function readCycle(db: Pick<Db, 'prisma'>, cycleId: string): Promise<Cycle> {
  const row = await db.prisma.cycle.findUnique({ where: { id: cycleId } });
  if (row === null) throw new UnderstudyError('not_found', { what: `Cycle ${cycleId}` });
  return toCycle(row);
}

/** The cycle that holds a model's lease, or null. */
export async function readLiveCycle(db: Pick<Db, 'prisma'>, model: string): Promise<Cycle | null> {
  const row = await db.prisma.cycle.findFirst({ where: { model, endedAt: null } });
  return row === null ? null : toCycle(row);
}
