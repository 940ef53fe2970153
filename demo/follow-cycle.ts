import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Db } from '../src/db/index.js';
import { type CycleOutcome, type CycleStatus, cycleStatus, cycleWorkflowId } from '../src/temporal/index.js';

/** Progress of a training job as its events tell it. */
export interface TrainingProgress {
  jobId: string | null;
  status: string;
  step: number | null;
  totalSteps: number | null;
  loss: number | null;
}

/** How a followed cycle ended: with its outcome, or without one. */
export type CycleEnd = { outcome: CycleOutcome } | { failed: string };

/**
 * Follows the newest cycle of a model until it has ended, and shows each new status. A question that no worker answers
 * (it was just replaced, say) is asked again.
 */
export async function followCycle(
  deps: { client: Client; db: Db; model: string },
  seen: (status: CycleStatus, training: TrainingProgress | null) => void | Promise<void>,
): Promise<CycleEnd> {
  const { client, db, model } = deps;
  const handle = client.workflow.getHandle(cycleWorkflowId(model));
  let end: CycleEnd | undefined;
  const result = handle.result().then(
    (outcome) => {
      end = { outcome: outcome as CycleOutcome };
    },
    (error: Error) => {
      end = { failed: describeFailure(error) };
    },
  );
  while (end === undefined) {
    await Promise.race([sleep(500), result]);
    const status = await cycleStatus(client, model, 3_000).catch(() => null);
    if (status !== null) await seen(status, await readTraining(db, status.cycleId));
  }
  return end as unknown as CycleEnd;
}

/** The newest progress of a cycle's training job, or null before it was submitted. */
export async function readTraining(db: Db, cycleId: string | null): Promise<TrainingProgress | null> {
  if (cycleId === null) return null;
  const run = await db.prisma.trainingRun.findUnique({ where: { cycleId } });
  if (run === null) return null;
  const metrics = (run.metrics ?? {}) as Record<string, unknown>;
  const number = (name: string) => (typeof metrics[name] === 'number' ? (metrics[name] as number) : null);
  return {
    jobId: run.jobId,
    status: run.status,
    step: number('step') ?? number('steps'),
    totalSteps: number('totalSteps') ?? number('total_steps') ?? number('steps'),
    loss: number('loss') ?? number('last_loss'),
  };
}

function describeFailure(error: Error): string {
  const cause = error.cause instanceof Error ? error.cause : error;
  const type = (cause as { type?: string | null }).type;
  return type ? `${type}: ${cause.message}` : cause.message;
}
