import { randomUUID } from 'node:crypto';
import type { Db } from '../../src/db/index.js';

export interface SeededTraining {
  status?: string;
  baseModel?: string;
  metrics?: Record<string, unknown>;
  /** The adapter's digest, 64 hex digits. */
  sha256?: string;
}

/** A frozen dataset of a cycle and the training run that it went into, as if a trainer had ended it. */
export async function seedTraining(
  db: Db,
  { model, cycleId, asOf }: { model: string; cycleId: string; asOf: Date },
  {
    status = 'succeeded',
    baseModel = 'tiny/base',
    metrics = { steps: 3 },
    sha256 = 'a'.repeat(64),
  }: SeededTraining = {},
): Promise<{ cycleId: string; trainingRunId: string; datasetId: string }> {
  const [datasetId, trainingRunId] = [randomUUID(), randomUUID()];
  await db.prisma.dataset.create({
    data: {
      ...{ id: datasetId, model, cycleId, state: 'frozen', createdAt: asOf, manifest: { golden_digest: null } },
      ...{ digest: datasetId.replaceAll('-', '').repeat(2), uri: `artifact:datasets/${datasetId}` },
      ...{ considered: 10, kept: 8, train: 6, validation: 2 },
    },
  });
  await db.prisma.trainingRun.create({
    data: {
      ...{ id: trainingRunId, model, cycleId, datasetId, key: trainingRunId, provider: 'reference' },
      ...{ baseUrl: 'http://x', baseModel, jobId: 'job', status, createdAt: asOf },
      ...(status === 'succeeded' && {
        adapter: { uri: `artifact:adapters/${sha256}`, sha256, base_model: baseModel, rank: 4 },
        metrics: metrics as object,
      }),
    },
  });
  return { cycleId, trainingRunId, datasetId };
}
