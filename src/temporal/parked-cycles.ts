import type { Client } from '@temporalio/client';
import { ATTRIBUTES } from './search-attribute-names.js';
import { RETRAINING_CYCLE, STATUS_QUERY } from './workflow-names.js';
import type { CycleStatus } from './workflow-types.js';

/**
 * The running cycles that wait for an operator, an approval included, with what they say of it. One that no worker answers for now is left out,
 * and found the next time. Throws what the client throws while Temporal is away.
 */
export async function parkedCycles(client: Client, timeoutMs = 5_000) {
  const query = `WorkflowType = '${RETRAINING_CYCLE}' AND ExecutionStatus = 'Running' AND ${ATTRIBUTES.needsOperator.name} = true`;
  return client.withDeadline(Date.now() + timeoutMs, async () => {
    const found = [];
    for await (const { workflowId, runId } of client.workflow.list({ query })) {
      const status = await client.workflow
        .getHandle(workflowId, runId)
        .query<CycleStatus>(STATUS_QUERY)
        .catch(() => null);
      const wait = status && (status.needsOperator ?? approvalWait(status));
      if (status === null || wait === null) continue;
      const { step, problem, since } = wait;
      found.push({ model: status.model, workflowId, runId, step, problem, since });
    }
    return found;
  });
}

/** What the test decided waits for people. */
function approvalWait({ approval, candidate, looks }: CycleStatus): CycleStatus['needsOperator'] {
  if (approval == null) return null;
  const { needed, until, since } = approval;
  const wanted = `version ${candidate} waits for ${needed === 1 ? 'approval' : `${needed} approvals`} until ${until}`;
  return { step: 'approve', problem: `${wanted}. ${looks.at(-1)?.summary ?? ''}`.slice(0, 200), since };
}
