import { randomUUID } from 'node:crypto';
import type { Db } from '../../src/db/index.js';
import { startExperiment } from '../../src/experiments/index.js';
import { readRoute } from '../../src/routing/index.js';
import { applyBenchModel } from '../harness/index.js';

export const HOUR = 3_600_000;

export interface LiveExperiment {
  model: string;
  id: string;
  startedAt: Date;
}

/** A model with two versions, and an experiment between them under the default policy that has run for 100 hours. */
export async function startLiveExperiment(db: Db, model: string, now: Date): Promise<LiveExperiment> {
  await applyBenchModel(db, model);
  const second = { version: 2, label: '1.1.0', kind: 'remote', state: 'candidate', servedAs: 'two' };
  await db.prisma.version.create({ data: { ...second, model, baseModel: 'bench-base', sandbox: true } });
  const { policy, policyDigest } = await db.prisma.model.findUniqueOrThrow({ where: { name: model } });
  const startedAt = new Date(now.getTime() - 100 * HOUR);
  const cycleId = randomUUID();
  await db.prisma.cycle.create({
    data: {
      ...{ id: cycleId, model, workflowId: `bench-${model}`, runId: randomUUID(), originalRunId: randomUUID() },
      ...{ trigger: 'bench', phase: 'experimenting', policy: policy as object, policyDigest, sandbox: true, startedAt },
    },
  });
  const { epoch } = await readRoute(db, model);
  const started = await startExperiment(db, { cycleId, candidate: 2, expectedEpoch: epoch, asOf: startedAt });
  if (started.routeChanged) throw new Error('somebody else changed the route');
  return { model, id: started.experimentId, startedAt };
}
