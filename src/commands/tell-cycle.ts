import { randomUUID } from 'node:crypto';
import { UnderstudyError } from '../errors.js';
import { askCycle, type CycleSignals, type Heard } from '../temporal/index.js';
import { withTemporal } from './with-temporal.js';

/** Asks the running cycle of a model for something; throws `not_found` when none is running, and `message_refused`. */
export async function tellCycle<S extends 'promote' | 'extend' | 'resume'>(
  model: string,
  name: S,
  message: CycleSignals[S],
  updateId: string = randomUUID(),
): Promise<Heard> {
  const heard = await withTemporal((client) => askCycle(client, model, name, message, { updateId }));
  if (heard === null) throw new UnderstudyError('not_found', { what: `A running cycle of "${model}"` });
  return heard;
}
