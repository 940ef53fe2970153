import { formatDuration } from '../policy/duration.js';
import type { Cycle } from './cycle.js';
import type { MessageName } from './cycle-messages.js';

/** The answer to a message that was just taken, in a sentence. */
export function whatWillHappen(cycle: Cycle, name: MessageName): string {
  if (name === 'promote') return afterPromote(cycle);
  if (name === 'rollback') return afterRollback(cycle);
  if (name === 'extend') return afterExtend(cycle);
  return cycle.messages.lastResume?.skip === true
    ? 'What cannot be undone is left as it is, and the cycle ends.'
    : `Step ${cycle.status.needsOperator?.step} is tried again.`;
}

function afterPromote({ messages, status, plan, championBefore }: Cycle): string {
  if (messages.promotion === null) return `Nothing yet: ${messages.approvals.missing}.`;
  const bake = `version ${championBefore} keeps ${Math.round(100 * plan.holdback)} % for ${formatDuration(plan.bakeMs)}`;
  return `Version ${status.candidate} becomes champion now; ${bake}.`;
}

function afterRollback({ status, championBefore }: Cycle): string {
  return status.bake === null
    ? `The experiment ends; version ${championBefore} keeps all traffic.`
    : `Version ${championBefore} becomes champion again; the bake ends.`;
}

function afterExtend({ messages, status }: Cycle): string {
  const from = status.experiment!.maxEndsAt;
  const to = new Date(Date.parse(from) + messages.extension!.by).toISOString();
  return `The last look comes at ${to} instead of ${from}; boundaries and what was spent stay.`;
}
