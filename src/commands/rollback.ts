import { randomUUID } from 'node:crypto';
import { createLocalStore } from '../artifacts/index.js';
import { readCliConfig, readSecret } from '../config.js';
import { errorDetail } from '../errors.js';
import { type RolledBack, rollBack } from '../experiments/index.js';
import { awaitGateways, type FollowedBy } from '../routing/index.js';
import { loadVersion } from '../serving/index.js';
import { signalCycle } from '../temporal/index.js';
import { show } from './output.js';
import { describeFollowers, timeoutMs } from './wait.js';
import { wholeNumber } from './whole-number.js';
import { withDb } from './with-db.js';
import { withTemporal } from './with-temporal.js';

interface Options {
  reason: string;
  actor: string;
  version?: string;
  requestId?: string;
  wait?: boolean;
  timeout: string;
  json?: boolean;
}

/**
 * Moves the route back on Postgres first, then tells the running cycle; works while Temporal is down. With `--wait` it ends
 * when every gateway follows, and fails with `gateways_behind` when one does not in time: the route has moved all the same.
 */
export async function rollback(model: string, options: Options): Promise<void> {
  const { actor, reason } = options;
  const requestId = options.requestId ?? randomUUID();
  const toVersion = options.version === undefined ? undefined : wholeNumber('--version', options.version);
  const patience = timeoutMs(options.timeout);
  const store = createLocalStore(readCliConfig().artifacts);
  const { done, followed, behind } = await withDb(async (db) => {
    const moved = await rollBack(
      { db, loadVersion: (name, version) => loadVersion(db, store, readSecret, { model: name, version }) },
      { model, actor, reason, requestId, ...(toVersion === undefined ? {} : { toVersion }) },
    );
    if (!options.wait) return { done: moved };
    // The cycle is told in any case.
    return awaitGateways(db, { model, epoch: moved.epoch, timeoutMs: patience }).then(
      (answer): Waited => ({ done: moved, followed: answer }),
      (error: Error): Waited => ({ done: moved, behind: error }),
    );
  });
  let told: string | null = null;
  if (done.cycleWorkflowId !== null && done.candidate !== null) {
    const message = { candidate: done.candidate, actor, reason, request_id: requestId };
    told = await withTemporal((client) => signalCycle(client, model, 'rollback', message)).then(
      () => null,
      (error: unknown) => errorDetail(error),
    );
  }
  if (behind !== undefined) throw behind;
  const { epoch, fromVersion, toVersion: to } = done;
  const facts = { model, epoch, from_version: fromVersion, to_version: to, request_id: requestId };
  show(options.json ?? false, { ...facts, ...(followed && { followed_by: followed }) }, () =>
    [
      `${model}: version ${to} answers everything (epoch ${epoch}); version ${fromVersion} answered before.`,
      ...(followed === undefined ? [] : describeFollowers(followed)),
      ...(told === null ? [] : [`The running cycle could not be told (${told}); it will find the route moved.`]),
    ].join('\n'),
  );
}

interface Waited {
  done: RolledBack;
  followed?: FollowedBy;
  behind?: Error;
}
