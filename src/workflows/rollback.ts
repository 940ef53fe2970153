import { getExternalWorkflowHandle, isCancellation, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { ATTRIBUTES } from '../temporal/search-attribute-names.js';
import type { RollbackInput, RollbackOutcome } from '../temporal/workflow-types.js';
import * as activities from './activities.js';
import { asOf } from './cycle.js';
import { failureOf } from './failures.js';
import { parseRollbackInput } from './input.js';
import { rollbackSignal } from './messages.js';

/**
 * Puts a version back in charge: the route's previous one, or any that was not rejected, loaded again first where it had
 * been unloaded. The route moves first; then a cycle that is going on hears of it.
 * @throws ApplicationFailure nothing_to_roll_back, version_rejected, unknown_version, unknown_model …
 */
export async function rollback(given: RollbackInput): Promise<RollbackOutcome> {
  const { model, to_version, actor, reason } = parseRollbackInput(given);
  upsertSearchAttributes([{ key: ATTRIBUTES.model, value: model }]);
  try {
    const plan = await activities.planRollback({ model, ...(to_version && { toVersion: to_version }) });
    const requestId = workflowInfo().originalExecutionRunId;
    const { toVersion } = plan;
    const moved = await activities.rollbackRoute({ model, toVersion, actor, reason, requestId, asOf: asOf() });
    const { epoch, fromVersion, cycleWorkflowId } = moved;
    const candidate = moved.candidate ?? fromVersion;
    const told =
      cycleWorkflowId !== null && (await tell(cycleWorkflowId, { candidate, actor, reason, request_id: requestId }));
    return { model, fromVersion, toVersion, epoch, cycle: cycleWorkflowId, cycleTold: told };
  } catch (error) {
    throw isCancellation(error) ? error : failureOf(error);
  }
}

/** The cycle may have ended a moment ago: then there is nobody to tell. It would find the route changed by itself, too. */
async function tell(
  workflowId: string,
  message: { candidate: number; actor: string; reason: string; request_id: string },
): Promise<boolean> {
  try {
    await getExternalWorkflowHandle(workflowId).signal(rollbackSignal, message);
    return true;
  } catch (error) {
    if (isCancellation(error)) throw error;
    return false;
  }
}
