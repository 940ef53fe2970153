import { z } from 'zod';
import type { Db } from '../../db/index.js';

/** One run of the workflow; `outcome` is null while it runs. */
export const cycleView = z.strictObject({
  id: z.uuid(),
  workflow_id: z.string(),
  run_id: z.string(),
  trigger: z.string(),
  phase: z.string(),
  candidate: z.int().nullable(),
  champion_before: z.int().nullable(),
  policy_digest: z.string(),
  sandbox: z.boolean(),
  outcome: z.string().nullable(),
  reason: z.string().nullable(),
  started_at: z.iso.datetime(),
  ended_at: z.iso.datetime().nullable(),
});

type CycleRow = Awaited<ReturnType<Db['prisma']['cycle']['findFirstOrThrow']>>;

export function viewCycle(row: CycleRow): z.input<typeof cycleView> {
  return {
    id: row.id,
    workflow_id: row.workflowId,
    run_id: row.runId,
    trigger: row.trigger,
    phase: row.phase,
    candidate: row.candidate,
    champion_before: row.championBefore,
    policy_digest: row.policyDigest,
    sandbox: row.sandbox,
    outcome: row.outcome,
    reason: row.reason,
    started_at: row.startedAt.toISOString(),
    ended_at: row.endedAt?.toISOString() ?? null,
  };
}
