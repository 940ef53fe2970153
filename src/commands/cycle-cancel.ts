import { UnderstudyError } from '../errors.js';
import { cancelCycle } from '../temporal/index.js';
import { show } from './output.js';
import { withTemporal } from './with-temporal.js';

/** Ends the running cycle, which undoes what it did; `not_found` when none is running. */
export async function cycleCancel(model: string, options: { json?: boolean }): Promise<void> {
  const heard = await withTemporal((client) => cancelCycle(client, model));
  if (!heard) throw new UnderstudyError('not_found', { what: `A running cycle of "${model}"` });
  show(
    options.json ?? false,
    { model, canceled: true },
    () => `The cycle of ${model} undoes what it did, newest first, and ends: understudy cycle status ${model} --watch`,
  );
}
