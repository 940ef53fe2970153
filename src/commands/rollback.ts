import { randomUUID } from 'node:crypto';
import { createLocalStore } from '../artifacts/index.js';
import { readCliConfig, readSecret } from '../config.js';
import { errorDetail } from '../errors.js';
import { rollBack } from '../experiments/index.js';
import { loadVersion } from '../serving/index.js';
import { signalCycle } from '../temporal/index.js';
import { show } from './output.js';
import { wholeNumber } from './whole-number.js';
import { withDb } from './with-db.js';
import { withTemporal } from './with-temporal.js';

interface Options {
  reason: string;
  actor: string;
  version?: string;
  requestId?: string;
  json?: boolean;
}

/** Moves the route back on Postgres first, then tells the running cycle; works while Temporal is down. */
export async function rollback(model: string, options: Options): Promise<void> {
  const { actor, reason } = options;
  const requestId = options.requestId ?? randomUUID();
  const toVersion = options.version === undefined ? undefined : wholeNumber('--version', options.version);
  const store = createLocalStore(readCliConfig().artifacts);
  const done = await withDb((db) =>
    rollBack(
      { db, loadVersion: (name, version) => loadVersion(db, store, readSecret, { model: name, version }) },
      { model, actor, reason, requestId, ...(toVersion === undefined ? {} : { toVersion }) },
    ),
  );
  let told: string | null = null;
  if (done.cycleWorkflowId !== null && done.candidate !== null) {
    const message = { candidate: done.candidate, actor, reason, request_id: requestId };
    told = await withTemporal((client) => signalCycle(client, model, 'rollback', message)).then(
      () => null,
      (error: unknown) => errorDetail(error),
    );
  }
  const { epoch, fromVersion, toVersion: to } = done;
  show(options.json ?? false, { model, epoch, from_version: fromVersion, to_version: to, request_id: requestId }, () =>
    [
      `${model}: version ${to} answers everything (epoch ${epoch}); version ${fromVersion} answered before.`,
      ...(told === null ? [] : [`The running cycle could not be told (${told}); it will find the route moved.`]),
    ].join('\n'),
  );
}
