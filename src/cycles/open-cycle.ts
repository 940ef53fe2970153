import { randomUUID } from 'node:crypto';
import type { Db, Prisma, Tx } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import { applyOverrides, digestOf, type Policy, parsePolicy } from '../policy/index.js';
import { readRoute } from '../routing/index.js';
import type { CycleRow } from './read-cycle.js';

/** What the workflow needs of the frozen policy; durations in milliseconds. */
export interface CyclePlan {
  sandbox: boolean;
  minNewExamples: number;
  maxTrainingMs: number;
  minDurationMs: number;
  maxDurationMs: number;
  lookEveryMs: number;
  share: number;
  bakeMs: number;
  holdback: number;
  drainMs: number;
  /** `manual`: a person approves what the test decided. Absent in cycles that began before there was a choice. */
  approval?: 'automatic' | 'manual';
  /** How long it waits for them. */
  approvalTimeoutMs?: number;
  /** The candidate answers copies before it answers people. */
  shadowFirst?: boolean;
  /** How many different people have to ask for a promotion by hand, or approve one. */
  approvals?: number;
}

export type OpenedCycle =
  | {
      opened: true;
      cycleId: string;
      policyDigest: string;
      plan: CyclePlan;
      champion: number;
      epoch: number;
      /** Why the experiment to come cannot finish at the present traffic, at most 200 characters. */
      warning?: string;
    }
  /** Another live run holds the lease. */
  | { opened: false; reason: 'already_running'; workflowId: string };

export interface OpenCycleInput {
  model: string;
  workflowId: string;
  runId: string;
  /** The run that a reset run descends from; of any other run its own id. */
  originalRunId: string;
  trigger: string;
  /** Laid over the policy for this cycle alone. */
  overrides: Record<string, unknown>;
  /** The workflow's clock. */
  asOf: Date;
}

/**
 * Takes the lease of a model for a run and freezes its policy. One live cycle per model: another workflow is told who
 * runs; a newer run of the same workflow id takes the lease over from its dead predecessor, whose cycle ends as failed
 * (`superseded`), or goes on with its cycle when it is a reset of the same run. Asking again answers the same.
 *
 * Throws `unknown_model`, `overrides_refused`, what `parsePolicy` throws, and `lease_lost` for a run that is not the
 * newest: an activity of a terminated run may come late.
 */
export async function openCycle(db: Db, input: OpenCycleInput): Promise<OpenedCycle> {
  return db.prisma.$transaction((tx) => openCycleIn(tx, input), { maxWait: 10_000, timeout: 15_000 });
}

async function openCycleIn(tx: Tx, input: OpenCycleInput): Promise<OpenedCycle> {
  const { model, workflowId, runId, originalRunId, asOf } = input;
  // One opening at a time for a model; rows that refer to the model may still be written meanwhile.
  await tx.$queryRaw`SELECT name FROM models WHERE name = ${model} FOR NO KEY UPDATE`;
  const stored = await tx.model.findUnique({ where: { name: model } });
  if (stored === null) throw new UnderstudyError('unknown_model', { model });
  const live = await tx.cycle.findFirst({ where: { model, endedAt: null } });
  if (live !== null && live.runId === runId) return opened(tx, live);
  if (live !== null && live.workflowId !== workflowId) {
    return { opened: false, reason: 'already_running', workflowId: live.workflowId };
  }
  // Runs of one workflow id follow each other, so the later clock is the newer run; a late activity has the old clock.
  if (live !== null && asOf <= live.startedAt) throw new UnderstudyError('lease_lost', { model });

  const mine = await tx.cycle.findUnique({ where: { model_originalRunId: { model, originalRunId } } });
  if (mine !== null && asOf <= mine.startedAt) throw new UnderstudyError('lease_lost', { model });
  if (live !== null && live.id !== mine?.id) {
    await tx.cycle.update({
      where: { id: live.id },
      data: { endedAt: asOf, outcome: 'failed', reason: 'superseded' },
    });
  }
  if (mine !== null) {
    // A reset: the same cycle goes on under the policy it froze, also when it had ended already. The clock tells it
    // from a late activity of the run that was reset.
    const data = { runId, workflowId, endedAt: null, outcome: null, reason: null };
    return opened(tx, await tx.cycle.update({ where: { id: mine.id }, data }));
  }

  const document = applyOverrides(stored.policy as Record<string, unknown>, input.overrides);
  const policy = parsePolicy(document);
  const row = await tx.cycle.create({
    data: {
      id: randomUUID(),
      model,
      workflowId,
      runId,
      originalRunId,
      trigger: input.trigger,
      phase: 'collecting',
      policy: document as Prisma.InputJsonObject,
      policyDigest: digestOf(policy),
      sandbox: policy.sandbox,
      championBefore: (await readRoute({ prisma: tx }, model)).champion,
      startedAt: asOf,
    },
  });
  return opened(tx, row);
}

async function opened(tx: Tx, row: CycleRow): Promise<OpenedCycle> {
  const { champion, epoch } = await readRoute({ prisma: tx }, row.model);
  const plan = planOf(parsePolicy(row.policy));
  return { opened: true, cycleId: row.id, policyDigest: row.policyDigest, plan, champion, epoch };
}

function planOf({ sandbox, triggers, trainer, experiment, promotion, serving }: Policy): CyclePlan {
  return {
    sandbox,
    minNewExamples: triggers.min_new_examples,
    maxTrainingMs: trainer.max_duration,
    minDurationMs: experiment.min_duration,
    maxDurationMs: experiment.max_duration,
    lookEveryMs: experiment.look_every,
    share: experiment.share,
    bakeMs: promotion.bake,
    holdback: promotion.holdback,
    drainMs: serving.drain,
    approval: promotion.approval,
    approvalTimeoutMs: promotion.approval_timeout,
    approvals: promotion.approvals,
    shadowFirst: experiment.shadow_first !== null,
  };
}
