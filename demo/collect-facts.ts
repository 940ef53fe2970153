import type { Client } from '@temporalio/client';
import type { Db } from '../src/db/index.js';
import { type CycleStatus, cycleStatus, cycleWorkflowId } from '../src/temporal/index.js';
import type { DemoResult } from './result.js';

type Facts = Pick<DemoResult, 'cycle' | 'dataset' | 'training' | 'evaluation' | 'experiment'> & {
  candidate: number | null;
  /** What z was held against at the last look. */
  boundary: number | null;
};

/** What the newest cycle of a model left in Temporal and in the database; parts it did not reach are null. */
export async function collectFacts(db: Db, client: Client, model: string): Promise<Facts> {
  const status = await cycleStatus(client, model);
  const execution = await client.workflow.getHandle(cycleWorkflowId(model)).describe();
  const cycleId = status?.cycleId ?? null;
  const ended = execution.closeTime ?? new Date();
  return {
    candidate: status?.candidate ?? null,
    boundary: status?.looks.at(-1)?.boundary ?? null,
    cycle: {
      workflow_id: execution.workflowId,
      run_id: execution.runId,
      outcome: status?.outcome?.outcome ?? null,
      reason: status?.outcome?.reason ?? null,
      phases: status === null ? [] : phaseSeconds(status, ended),
      history_events: Number(execution.historyLength),
      history_bytes: execution.historySize ?? null,
    },
    ...(cycleId === null
      ? { dataset: null, training: null, evaluation: null, experiment: null }
      : await stored(db, cycleId)),
  };
}

async function stored(
  db: Db,
  cycleId: string,
): Promise<Pick<Facts, 'dataset' | 'training' | 'evaluation' | 'experiment'>> {
  const dataset = await db.prisma.dataset.findUnique({ where: { cycleId } });
  const training = await db.prisma.trainingRun.findUnique({ where: { cycleId } });
  const evaluation = await db.prisma.evaluation.findUnique({ where: { cycleId } });
  return {
    dataset: dataset?.digest
      ? {
          considered: dataset.considered,
          kept: dataset.kept,
          left_out: dataset.leftOut as Record<string, number>,
          train: dataset.train,
          validation: dataset.validation,
          digest: dataset.digest,
        }
      : null,
    training: training?.jobId ? { job_id: training.jobId, ...trainingFigures(training.metrics) } : null,
    evaluation:
      evaluation && evaluation.n > 0
        ? { champion: evaluation.championRight / evaluation.n, challenger: evaluation.challengerRight / evaluation.n }
        : null,
    experiment: await experimentFacts(db, cycleId),
  };
}

function trainingFigures(metrics: unknown): {
  steps: number | null;
  first_loss: number | null;
  last_loss: number | null;
  seconds: number | null;
} {
  const of = (name: string) => {
    const value = (metrics as Record<string, unknown> | null)?.[name];
    return typeof value === 'number' ? value : null;
  };
  return { steps: of('steps'), first_loss: of('first_loss'), last_loss: of('last_loss'), seconds: of('seconds') };
}

/** The last look of the A/B test; when the watch loop ended it before a look, what it judged by. */
async function experimentFacts(db: Db, cycleId: string): Promise<DemoResult['experiment']> {
  const experiment = await db.prisma.experiment.findUnique({ where: { cycleId_kind: { cycleId, kind: 'ab' } } });
  if (experiment === null) return null;
  const arm = (sums: unknown) => {
    const { n, x } = sums as { n: number; x: number };
    return { n, x };
  };
  const look = await db.prisma.look.findFirst({ where: { experimentId: experiment.id }, orderBy: { k: 'desc' } });
  if (look !== null) {
    return {
      champion: arm(look.champion),
      challenger: arm(look.challenger),
      z: look.z,
      p: look.p,
      interval: look.intervalLow === null || look.intervalHigh === null ? null : [look.intervalLow, look.intervalHigh],
      decision: look.decision,
    };
  }
  // Stopped by the watch loop before its first look: what it was stopped on, without a test that was never made.
  const change = await db.prisma.routeChange.findFirst({ where: { cycleId, action: 'harm_stop' } });
  const evidence = change?.evidence as { n: Record<string, number>; x: Record<string, number> } | undefined;
  if (evidence === undefined) return null;
  const counted = (name: string) => ({ n: evidence.n[name] ?? 0, x: evidence.x[name] ?? 0 });
  const arms = { champion: counted('champion'), challenger: counted('challenger') };
  return { ...arms, z: null, p: null, interval: null, decision: experiment.decision };
}

function phaseSeconds(status: CycleStatus, ended: Date): { name: string; seconds: number }[] {
  return status.phases.map(({ phase, startedAt }, index) => {
    const next = status.phases[index + 1];
    const until = next === undefined ? ended.getTime() : Date.parse(next.startedAt);
    return { name: phase, seconds: Math.max(0, (until - Date.parse(startedAt)) / 1000) };
  });
}
