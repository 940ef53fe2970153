import * as activities from '../activities.js';
import { asOf, type Cycle } from '../cycle.js';
import { parkUntilDone } from '../parking.js';
import { requestIdOf } from '../request-id.js';
import { changedByOther, type KeepVerdict } from '../verdict.js';

/** What the experiment's row calls it. */
const DECISIONS = { rejected: 'reject', inconclusive: 'inconclusive', rolled_back: 'rollback' } as const;

/**
 * Ends the split; the champion has all traffic again. When somebody else has moved the route, it stays as they made it,
 * and a test that had found nothing is reported as `route_changed`; what is known about the candidate stands.
 */
export async function endExperiment(cycle: Cycle, experimentId: string, verdict: KeepVerdict): Promise<KeepVerdict> {
  cycle.messages.close();
  const { outcome, actor, sentence: reason } = verdict;
  const decision = DECISIONS[outcome];
  const requestId = requestIdOf(cycle, 'rollback', verdict.requestId);
  const moved = await parkUntilDone(cycle, 'endExperiment', () =>
    activities.endExperiment({ experimentId, decision, reason, actor, ...requestId, asOf: asOf() }),
  );
  if (!moved.routeChanged) return verdict;
  if (outcome === 'inconclusive') return changedByOther(moved, true);
  return { ...verdict, evidence: { ...verdict.evidence, route_moved_by: moved.actor } };
}
