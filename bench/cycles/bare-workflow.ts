import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';

interface Nothing {
  nothing(): Promise<void>;
}
const scheduled = proxyActivities<Nothing>({ startToCloseTimeout: '2m', heartbeatTimeout: '30s' });
const local = proxyLocalActivities<Nothing>({ startToCloseTimeout: '2s' });

/** As many activities of either kind as a cycle has, in the order in which a cycle has them, and nothing else. */
export async function bareWorkflow(steps: readonly ('scheduled' | 'local')[]): Promise<void> {
  for (const step of steps) await (step === 'local' ? local : scheduled).nothing();
}
