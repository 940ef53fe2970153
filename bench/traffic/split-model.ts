import { randomUUID } from 'node:crypto';
import { openCycle } from '../../src/cycles/index.js';
import type { Db } from '../../src/db/index.js';
import { startExperiment } from '../../src/experiments/index.js';
import { applyBenchModel } from '../harness/index.js';
import { MODEL } from './bodies.js';

/** What a share of 0.1 stands for in the policy. */
export const SHARE = 0.1;

/** The model of the benches with an experiment running: version 2, which its upstream also serves, gets a tenth. */
export async function applySplitModel(db: Db, upstream: string): Promise<void> {
  await applyBenchModel(db, MODEL, { upstream, policy: { experiment: { share: SHARE } } });
  const id = randomUUID();
  const cycle = { model: MODEL, workflowId: `retraining-cycle-${MODEL}`, runId: id, originalRunId: id };
  const asOf = new Date();
  const opened = await openCycle(db, { ...cycle, trigger: 'manual', overrides: {}, asOf });
  if (!opened.opened) throw new Error(`the cycle was not opened: ${opened.reason}`);
  await db.prisma.version.create({
    data: {
      model: MODEL,
      version: 2,
      label: 'v2',
      kind: 'remote',
      state: 'candidate',
      servedAs: 'tuned',
      baseModel: 'bench-base',
      sandbox: true,
    },
  });
  await startExperiment(db, { cycleId: opened.cycleId, candidate: 2, expectedEpoch: opened.epoch, asOf });
}
