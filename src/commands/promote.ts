import { currentUser } from '../config.js';
import { awaitGateways, awaitPromotion, readRoute } from '../routing/index.js';
import { show } from './output.js';
import { tellCycle } from './tell-cycle.js';
import { describeFollowers, timeoutMs } from './wait.js';
import { wholeNumber } from './whole-number.js';
import { withDb } from './with-db.js';

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
 * Asks the running cycle to promote its candidate: `message_refused` with its reason, or what will happen. With `--wait` it
 * ends when the candidate is champion and every gateway follows; fails with `not_promoted` or `gateways_behind` when it is not.
 */
export async function promote(model: string, options: Options): Promise<void> {
  const candidate = wholeNumber('--candidate', options.candidate);
  const patience = timeoutMs(options.timeout);
  const asked = { candidate, actor: options.actor, reason: options.reason, force: options.force ?? false };
  // Under the two-person rule one login is one person, whatever --actor says.
  const message = { ...asked, identity: `login ${currentUser()}` };
  if (!options.wait) {
    const heard = await tellCycle(model, 'promote', message);
    show(options.json ?? false, { ...asked, ...heard }, () => heard.note);
    return;
  }
  const { epoch, followed, heard } = await withDb(async (db) => {
    const before = await readRoute(db, model);
    const heard = await tellCycle(model, 'promote', message);
    const promoted = await awaitPromotion(db, { model, version: candidate, epoch: before.epoch, timeoutMs: patience });
    return {
      heard,
      epoch: promoted,
      followed: await awaitGateways(db, { model, epoch: promoted, timeoutMs: patience }),
    };
  });
  show(options.json ?? false, { ...asked, ...heard, epoch, followed_by: followed }, () =>
    [`${model}: version ${candidate} is champion (epoch ${epoch}).`, ...describeFollowers(followed)].join('\n'),
  );
}
