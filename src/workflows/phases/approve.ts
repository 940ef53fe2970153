import type { Approval } from '../approvals.js';
import { CYCLE_ACTOR, type Cycle } from '../cycle.js';
import type { KeepVerdict, PromoteVerdict, Verdict } from '../verdict.js';
import { waitUntil } from '../wait-until.js';
import { endExperiment } from './end-experiment.js';
import { stopped } from './judge-look.js';

/**
 * Where the policy asks for it, what the test decided waits for people, with its evidence in sight. The arms go on answering
 * meanwhile, so harm or an operator may still take the candidate back. When nobody approves in time, the champion stays.
 */
export async function approve(cycle: Cycle, verdict: PromoteVerdict): Promise<Verdict> {
  const { messages, plan } = cycle;
  // Asked for by hand: as many people as it takes have said so already.
  if (plan.approval !== 'manual' || verdict.forced) return verdict;
  const until = Date.now() + (plan.approvalTimeoutMs ?? 0);
  messages.decided(null);
  cycle.awaitsApproval(new Date(until).toISOString());
  await waitUntil(until, () => messages.pending);
  const given = [...messages.approvals.actors];
  cycle.approvalEnded();
  const stop = stopped(cycle, verdict);
  if (stop === null && messages.promotion !== null) return approved(verdict, messages.promotion);
  return endExperiment(cycle, verdict.experimentId, stop ?? timedOut(verdict, given));
}

/** The test decided and they let it happen: it is no less significant for that. */
function approved(verdict: PromoteVerdict, { actor, request_id, force, by }: Approval): PromoteVerdict {
  const why = by.map(({ reason }) => reason).join('; ');
  return {
    ...verdict,
    actor,
    sentence: `approved: ${why}; ${verdict.sentence}`.slice(0, 200),
    ...(request_id !== undefined && { requestId: request_id }),
    ...(force === true && { despiteFreeze: true }),
    evidence: { ...verdict.evidence, approved_by: by },
  };
}

function timedOut({ sentence, evidence, experimentId }: PromoteVerdict, given: string[]): KeepVerdict {
  return {
    decision: 'keep',
    outcome: 'inconclusive',
    reason: 'approval_timed_out',
    actor: CYCLE_ACTOR,
    sentence: `approval_timed_out: ${sentence}`.slice(0, 200),
    served: true,
    evidence: { ...evidence, experiment: experimentId, approved_by: given },
  };
}
