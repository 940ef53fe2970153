import { defineSearchAttributeKey, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { ParentClosePolicy, startChild, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { ATTRIBUTES } from '../temporal/search-attribute-names.js';
import { cycleWorkflowId, RETRAINING_CYCLE } from '../temporal/workflow-names.js';
import type { CycleInput, LaunchOutcome } from '../temporal/workflow-types.js';

/** Is this the run that may be the cycle? Its id is what keeps a model from having two. */
export function isCanonicalRun(model: string): boolean {
  return workflowInfo().workflowId === cycleWorkflowId(model);
}

/** Set by Temporal on what a schedule starts. */
const SCHEDULED_BY = defineSearchAttributeKey('TemporalScheduledById', 'KEYWORD');

/**
 * A schedule appends a timestamp to the workflow id and the command line makes one up: under any other id this run only
 * starts the cycle, as a child that outlives it, or finds one running.
 */
export async function launch(input: CycleInput): Promise<LaunchOutcome> {
  const workflowId = cycleWorkflowId(input.model);
  const bySchedule = workflowInfo().typedSearchAttributes.get(SCHEDULED_BY) !== undefined;
  const trigger = input.trigger ?? (bySchedule ? 'schedule' : 'manual');
  upsertSearchAttributes([
    { key: ATTRIBUTES.model, value: input.model },
    { key: ATTRIBUTES.trigger, value: trigger },
  ]);
  try {
    const child = await startChild(RETRAINING_CYCLE, {
      workflowId,
      args: [{ ...input, trigger }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
    });
    return { started: true, workflowId, runId: child.firstExecutionRunId };
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    upsertSearchAttributes([{ key: ATTRIBUTES.outcome, value: 'skipped' }]);
    return { started: false, skipped: 'already_running', workflowId };
  }
}
