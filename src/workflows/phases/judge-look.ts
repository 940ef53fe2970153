import type { LookFacts } from '../../activities/contract.js';
import type { CycleReason } from '../../temporal/workflow-types.js';
import type { Approval } from '../approvals.js';
import { CYCLE_ACTOR, type Cycle } from '../cycle.js';
import type { Horizon } from '../extension.js';
import { changedByOther, halted, type KeepVerdict, type PromoteVerdict, rolledBack, type Verdict } from '../verdict.js';

/** The experiment that is going on. */
export interface LiveExperiment {
  experimentId: string;
  /** Epoch of the route that serves it; a bandit's looks move it. */
  epoch: number;
  /** Nothing is promoted before this time without force; epoch milliseconds. */
  floorAt: number;
  /** When it is looked at. */
  horizon: Horizon;
}

/** What messages decide by themselves: first safety, then an operator's rollback, then an operator's promotion. */
export function heardDuringExperiment(cycle: Cycle, live: LiveExperiment): Verdict | null {
  const { messages } = cycle;
  return stopped(cycle, live) ?? (messages.promotion === null ? null : forced(live, messages.promotion));
}

/**
 * What a look decides, given what was said meanwhile. A stop comes first. A look that rejects outweighs a promotion that was
 * asked for without knowing it; a promotion outweighs a look that found nothing. `look` is null when a message ended it.
 */
export function judge(cycle: Cycle, live: LiveExperiment, look: LookFacts | null, last: boolean): Verdict | null {
  const stop = stopped(cycle, live);
  if (stop !== null) return stop;
  // Also what the watch loop rejected on the route itself, when its message has not come.
  if (look?.decision === 'reject') {
    cycle.messages.drop('promotion', 'the look that came first rejected the candidate');
    return kept('rejected', look.reason ?? 'no_improvement', look);
  }
  if (look?.routeChanged !== undefined) return changedByOther(look.routeChanged, true);
  const { promotion } = cycle.messages;
  if (promotion !== null) return forced(live, promotion);
  if (look === null) return null;
  if (look.decision === 'promote' && Date.now() >= live.floorAt) return won(live, look);
  if (look.decision === 'inconclusive') return kept('inconclusive', look.reason ?? 'max_duration', look);
  return last ? kept('inconclusive', 'max_duration', look) : null;
}

/** What takes the candidate back: the watch loop before an operator. */
export function stopped({ messages }: Cycle, { experimentId }: { experimentId: string }): KeepVerdict | null {
  const halt = messages.haltOf(experimentId);
  if (halt !== null) return halted(halt);
  return messages.rollback === null ? null : rolledBack(messages.rollback);
}

function kept(outcome: 'rejected' | 'inconclusive', reason: string, look: LookFacts): KeepVerdict {
  const sentence = `${reason}: ${look.summary}`.slice(0, 200);
  const by = { actor: CYCLE_ACTOR, sentence, served: true, evidence: figures(look) };
  return { decision: 'keep', outcome, reason: reason as CycleReason, ...by };
}

function won({ experimentId, epoch }: LiveExperiment, look: LookFacts): PromoteVerdict {
  const sentence = look.summary.slice(0, 200);
  const evidence = figures(look);
  return {
    decision: 'promote',
    reason: look.reason === 'bandit' ? 'bandit' : 'significant',
    actor: CYCLE_ACTOR,
    sentence,
    forced: false,
    experimentId,
    epoch,
    evidence,
  };
}

function forced({ experimentId, epoch, floorAt }: LiveExperiment, message: Approval): PromoteVerdict {
  const { actor, reason, request_id } = message;
  const early = Date.now() < floorAt;
  const evidence = {
    actor,
    why: reason,
    before_floor: early,
    ...(early && { floor_at: new Date(floorAt).toISOString() }),
    ...(message.by.length > 1 && { approved_by: message.by }),
  };
  const requestId = request_id === undefined ? {} : { requestId: request_id };
  const sentence = `${early ? 'before the floor: ' : ''}${reason}`.slice(0, 200);
  return {
    decision: 'promote',
    reason: 'forced',
    actor,
    sentence,
    forced: true,
    ...(message.force === true && { despiteFreeze: true }),
    ...requestId,
    experimentId,
    epoch,
    evidence,
  };
}

function figures(look: LookFacts): Record<string, unknown> {
  const { k, champion, challenger, z, boundary, interval, estimate, summary } = look;
  const counted = { look: k, champion, challenger, z, boundary, interval };
  return { ...counted, ...(estimate && { estimate }), summary: summary.slice(0, 200) };
}
