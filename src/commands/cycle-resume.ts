import { show } from './output.js';
import { tellCycle } from './tell-cycle.js';

/** Has a parked cycle try again what it is parked on; with `--skip` it leaves what cannot be undone as it is, and ends. */
export async function cycleResume(
  model: string,
  options: { skip?: boolean; actor: string; json?: boolean },
): Promise<void> {
  const message = { actor: options.actor, ...(options.skip && { skip: true }) };
  const heard = await tellCycle(model, 'resume', message);
  show(options.json ?? false, { ...message, ...heard }, () => heard.note);
}
