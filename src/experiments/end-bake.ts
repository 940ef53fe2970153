import type { Db } from '../db/index.js';
import { readExperiment } from './experiment.js';
import { judgeExperiment } from './judge-experiment.js';
import { championAlone, leaveExperiment } from './leave-experiment.js';
import { explainLeft, type RouteMove } from './route-move.js';

/**
 * The bake went well: the holdback ends and the new champion has all traffic. Versions that are out of the route now are
 * archived, so that their adapters do not stay loaded for ever. Running it again answers the same.
 */
export async function endBake(db: Db, input: { experimentId: string; asOf: Date }): Promise<RouteMove> {
  const bake = await readExperiment(db, input.experimentId);
  const { evidence } = await judgeExperiment(db, bake, input.asOf);
  const left = await leaveExperiment(db, {
    experiment: bake,
    next: championAlone,
    action: 'end_bake',
    actor: 'cycle',
    reason: 'the bake went well',
    evidence: evidence(),
    requestId: `end:${bake.id}`,
    cycleId: bake.cycleId,
    end: { decision: 'keep', reason: 'bake_passed', asOf: input.asOf },
    async alongside(tx) {
      const kept = [bake.champion, bake.challenger];
      await tx.version.updateMany({
        where: { model: bake.model, state: 'candidate', version: { lt: bake.champion, notIn: kept } },
        data: { state: 'archived', retiredAt: input.asOf },
      });
    },
  });
  return left.left ? { epoch: left.epoch } : explainLeft(db, bake, input.asOf);
}
