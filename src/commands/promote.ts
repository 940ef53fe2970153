import { UnderstudyError } from '../errors.js';
import { awaitGateways, awaitPromotion, readRoute } from '../routing/index.js';
import { signalCycle } from '../temporal/index.js';
import { show } from './output.js';
import { describeFollowers, timeoutMs } from './wait.js';
import { wholeNumber } from './whole-number.js';
import { withDb } from './with-db.js';
import { withTemporal } from './with-temporal.js';

interface Options {
  candidate: string;
  reason: string;
  actor: string;
  force?: boolean;
  wait?: boolean;
  timeout: string;
  json?: boolean;
}

/**
 * Tells the running cycle to promote its candidate. The cycle judges the message: see `cycle status`. With `--wait` it ends
 * when the candidate is champion and every gateway follows; fails with `not_promoted` or `gateways_behind` when it is not.
 */
export async function promote(model: string, options: Options): Promise<void> {
  const candidate = wholeNumber('--candidate', options.candidate);
  const patience = timeoutMs(options.timeout);
  const message = { candidate, actor: options.actor, reason: options.reason, force: options.force ?? false };
  const signal = async () => {
    const heard = await withTemporal((client) => signalCycle(client, model, 'promote', message));
    if (!heard) throw new UnderstudyError('not_found', { what: `A running cycle of "${model}"` });
  };
  if (!options.wait) {
    await signal();
    show(
      options.json ?? false,
      { signalled: true, ...message },
      () =>
        `Told the cycle of ${model} to promote version ${candidate}. Whether it did: understudy cycle status ${model}`,
    );
    return;
  }
  const { epoch, followed } = await withDb(async (db) => {
    const before = await readRoute(db, model);
    await signal();
    const promoted = await awaitPromotion(db, { model, version: candidate, epoch: before.epoch, timeoutMs: patience });
    return {
      epoch: promoted,
      followed: await awaitGateways(db, { model, epoch: promoted, timeoutMs: patience }),
    };
  });
  show(options.json ?? false, { signalled: true, ...message, epoch, followed_by: followed }, () =>
    [`${model}: version ${candidate} is champion (epoch ${epoch}).`, ...describeFollowers(followed)].join('\n'),
  );
}
