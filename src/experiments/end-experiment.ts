import type { Db } from '../db/index.js';
import { readExperiment } from './experiment.js';
import { championAlone, leaveExperiment } from './leave-experiment.js';
import { explainLeft, type RouteMove } from './route-move.js';
import { testEvidence } from './test-evidence.js';

/**
 * Ends an A/B test and its split; the champion stays. Running it again answers the same. A route that already left the
 * experiment is left alone: `routeChanged` says that it was somebody outside the cycle.
 */
export async function endExperiment(
  db: Db,
  input: { experimentId: string; decision: string; reason: string; actor: string; requestId?: string; asOf: Date },
): Promise<RouteMove> {
  const { decision, reason, actor, asOf } = input;
  const experiment = await readExperiment(db, input.experimentId);
  const left = await leaveExperiment(db, {
    experiment,
    next: championAlone,
    action: 'end_experiment',
    actor,
    reason,
    evidence: { ...(await testEvidence(db, experiment, asOf)), decision, reason },
    requestId: input.requestId ?? `end:${experiment.id}`,
    cycleId: experiment.cycleId,
    end: { decision, reason, asOf },
  });
  return left.left ? { epoch: left.epoch } : explainLeft(db, experiment, asOf);
}
