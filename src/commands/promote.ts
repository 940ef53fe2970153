import { UnderstudyError } from '../errors.js';
import { signalCycle } from '../temporal/index.js';
import { show } from './output.js';
import { wholeNumber } from './whole-number.js';
import { withTemporal } from './with-temporal.js';

interface Options {
  candidate: string;
  reason: string;
  actor: string;
  force?: boolean;
  json?: boolean;
}

/** Tells the running cycle to promote its candidate. The cycle judges the message: see `cycle status`. */
export async function promote(model: string, options: Options): Promise<void> {
  const candidate = wholeNumber('--candidate', options.candidate);
  const message = { candidate, actor: options.actor, reason: options.reason, force: options.force ?? false };
  const heard = await withTemporal((client) => signalCycle(client, model, 'promote', message));
  if (!heard) throw new UnderstudyError('not_found', { what: `A running cycle of "${model}"` });
  show(
    options.json ?? false,
    { signalled: true, ...message },
    () =>
      `Told the cycle of ${model} to promote version ${candidate}. Whether it did: understudy cycle status ${model}`,
  );
}
