import type { RouteChangedByOther } from '../activities/contract.js';
import type { CycleReason, HaltEvidence, RollbackMessage } from '../temporal/workflow-types.js';

/** The watch loop, as an actor. */
const WATCH = 'watch';

/** The candidate is to become champion. */
export interface PromoteVerdict {
  decision: 'promote';
  reason: 'significant' | 'bandit' | 'forced';
  actor: string;
  /** The sentence of the route change, at most 200 characters. */
  sentence: string;
  /** An operator decided it, not the statistics. */
  forced: boolean;
  requestId?: string;
  /** They also said that no freeze window stops it. */
  despiteFreeze?: boolean;
  experimentId: string;
  /** Epoch of the route that the decision was made on. */
  epoch: number;
  evidence: Record<string, unknown>;
}

/** The candidate is not to become, or to remain, champion. */
export interface KeepVerdict {
  decision: 'keep';
  outcome: 'rejected' | 'inconclusive' | 'rolled_back';
  reason: CycleReason;
  /** Who decided it. */
  actor: string;
  /** The sentence of the route change, at most 200 characters. */
  sentence: string;
  requestId?: string;
  /** It has answered live traffic: requests may be under way. */
  served: boolean;
  evidence: Record<string, unknown>;
}

export type Verdict = PromoteVerdict | KeepVerdict;

/** Somebody else moved the route. It is left as they made it; only when that was a harm stop, we know what it means. */
export function changedByOther(other: RouteChangedByOther, served: boolean): KeepVerdict {
  const { actor, epoch, action } = other;
  const evidence = { moved_by: actor, epoch, ...(action && { action }) };
  const sentence = `${actor} moved the route (epoch ${epoch})`.slice(0, 200);
  return action === 'harm_stop'
    ? { decision: 'keep', outcome: 'rejected', reason: 'harm', actor: WATCH, sentence, served, evidence }
    : { decision: 'keep', outcome: 'inconclusive', reason: 'route_changed', actor, sentence, served, evidence };
}

/** The watch loop stopped it first, on the route; the numbers are in the audit, here is the sentence. */
export function halted({ reason, summary }: HaltEvidence): KeepVerdict {
  const outcome = reason === 'bake_harm' ? 'rolled_back' : 'rejected';
  const evidence = { halted_by: WATCH, summary };
  return {
    decision: 'keep',
    outcome,
    reason,
    actor: WATCH,
    sentence: `${reason}: ${summary}`.slice(0, 200),
    served: true,
    evidence,
  };
}

/** An operator has taken the candidate back. */
export function rolledBack({ actor, reason, request_id }: RollbackMessage): KeepVerdict {
  return {
    decision: 'keep',
    outcome: 'rolled_back',
    reason: 'operator',
    actor,
    sentence: reason,
    ...(request_id !== undefined && { requestId: request_id }),
    served: true,
    evidence: { actor, why: reason },
  };
}
