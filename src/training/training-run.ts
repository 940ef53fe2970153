import { v5 as uuidv5 } from 'uuid';
import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import type { ReportedAdapter, TrainingMetrics } from './training-provider.js';

export type TrainingRun = NonNullable<Awaited<ReturnType<Db['prisma']['trainingRun']['findUnique']>>>;

/** What the cycle gets of a finished run. */
export interface TrainedAdapter {
  trainingRunId: string;
  jobId: string;
  adapterSha256: string;
  steps: number;
  firstLoss: number | null;
  lastLoss: number | null;
  seconds: number;
}

/** The id of a cycle's training run: a retry finds the same row. */
export const trainingRunIdOf = (cycleId: string): string => uuidv5(`understudy:training-run/${cycleId}`, uuidv5.URL);

export async function readTrainingRun(db: Db, id: string): Promise<TrainingRun> {
  const run = await db.prisma.trainingRun.findUnique({ where: { id } });
  if (run === null) throw new UnderstudyError('not_found', { what: `Training run ${id}` });
  return run;
}

/** Of a run whose adapter was inspected and recorded. */
export function trainedAdapter(run: TrainingRun): TrainedAdapter {
  const adapter = run.adapter as unknown as ReportedAdapter;
  const metrics = run.metrics as unknown as TrainingMetrics;
  return {
    trainingRunId: run.id,
    jobId: run.jobId!,
    adapterSha256: adapter.sha256,
    steps: metrics.steps,
    firstLoss: metrics.first_loss,
    lastLoss: metrics.last_loss,
    seconds: metrics.seconds ?? 0,
  };
}

/** Ends a run without an adapter. `error` is shown: no texts. */
export async function endWithoutAdapter(
  db: Db,
  run: TrainingRun,
  status: 'failed' | 'cancelled',
  error: string | null,
): Promise<void> {
  await db.prisma.trainingRun.updateMany({
    where: { id: run.id, status: { not: 'succeeded' } },
    data: { status, error: error?.slice(0, 500) ?? null, finishedAt: new Date() },
  });
}
