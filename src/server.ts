import { hostname } from 'node:os';
import { createLocalStore } from './artifacts/index.js';
import { environment, readConfig, readSecret } from './config.js';
import { createDb } from './db/index.js';
import { errorDetail, UnderstudyError } from './errors.js';
import { rollBack } from './experiments/index.js';
import { startHousekeeping } from './housekeeping/index.js';
import { createServer, VERSION } from './http/index.js';
import { startMirrors } from './mirrors/index.js';
import { startOutcomeUpkeep, startWatchLoop } from './monitoring/index.js';
import { pruneAdapters } from './retention/index.js';
import { followRoutes } from './routing/index.js';
import { loadVersion, reportTroubles, startReconciler } from './serving/index.js';
import { startShadow } from './shadow/index.js';
import { stateOwner } from './state/index.js';
import { createLogger, openTracing } from './telemetry/index.js';
import {
  askCycle,
  type CycleSignals,
  connectTemporalLazily,
  type Heard,
  parkedCycles,
  readTemporalConfig,
  SIGNALS,
  tellCycle,
} from './temporal/index.js';

/** Gateway, capture, API, watch loop, adapter reconciler: everything that must go on while Temporal is down. */
async function main(): Promise<void> {
  const config = readConfig();
  const logger = createLogger('server', config.logLevel);
  const warn = (message: string) => (error: unknown) => logger.warn({ detail: errorDetail(error) }, message);
  const db = createDb(config.databaseUrl, { max: 20, onError: warn('idle database connection lost') });
  const store = createLocalStore(config.artifacts);
  const state = { folder: config.state, owner: stateOwner(config.databaseUrl), key: config.subjectKey };
  const temporal = connectTemporalLazily(readTemporalConfig(environment()));
  const routes = await followRoutes(db, {
    onError: warn('routes not read'),
    onDeaf: () => logger.warn('route changes were not announced here; listening anew'),
    saved: { state, onIgnored: (why) => logger.warn({ file: 'routes', why }, 'a state file is not taken') },
    // With a port that the system chooses, nobody can take this one's place.
    gateway: `${hostname()}:${config.port === 0 ? `process ${process.pid}` : config.port}`,
  });
  const tracing = await openTracing(environment(), { version: VERSION, logger });

  async function ask<S extends 'promote' | 'extend' | 'resume'>(
    model: string,
    name: S,
    message: CycleSignals[S],
    updateId: string,
  ): Promise<Heard> {
    const heard = await askCycle(temporal.client, model, name, message, { updateId });
    if (heard === null) throw new UnderstudyError('not_found', { what: `A running cycle of "${model}"` });
    return heard;
  }

  const load = (model: string, version: number) => loadVersion(db, store, readSecret, { model, version });
  const server = createServer({
    db,
    subjectKey: config.subjectKey,
    routes,
    secrets: readSecret,
    spool: config.spool,
    maxInFlight: config.maxInFlight,
    feedbackOrigins: config.feedbackOrigins,
    parkedFeedbackMs: config.parkedFeedbackMs,
    state,
    logger,
    operations: {
      startShadow: (shadow) => startShadow({ db, loadVersion: load }, shadow),
      async rollBack({ model, toVersion, actor, reason, requestId }) {
        const done = await rollBack(
          { db, loadVersion: load },
          { model, actor, reason, requestId, ...(toVersion === undefined ? {} : { toVersion }) },
        );
        if (done.cycleWorkflowId !== null) {
          // The route has moved; a cycle that cannot be told now finds that out by itself.
          const { cycleWorkflowId: id, candidate } = done;
          await temporal.client
            .withDeadline(Date.now() + 3_000, () =>
              temporal.client.workflow
                .getHandle(id)
                .signal(SIGNALS.rollback, { candidate, actor, reason, request_id: requestId }),
            )
            .catch(warn('cycle not told of the rollback'));
        }
        return done;
      },
      promote: ({ model, requestId, ...message }) =>
        ask(model, 'promote', { ...message, request_id: requestId }, requestId),
      extend: ({ model, requestId, ...message }) =>
        ask(model, 'extend', { ...message, request_id: requestId }, requestId),
      resume: ({ model, requestId, ...message }) => ask(model, 'resume', message, requestId),
    },
  });
  const watch = startWatchLoop({
    db,
    intervalMs: config.watchIntervalMs,
    logger,
    tellCycle: tellCycle(temporal.client),
  });
  const upkeep = startOutcomeUpkeep(db, { logger, registry: server.gateway.metrics });
  const mirrors = startMirrors({
    db,
    secrets: readSecret,
    intervalMs: 2_000,
    parked: () => parkedCycles(temporal.client),
    logger,
  });
  const reconciler = startReconciler(db, store, readSecret, {
    intervalMs: 5_000,
    onPass: reportTroubles(logger),
    onError: warn('adapters not reconciled'),
  });

  const housekeeping = startHousekeeping(db, logger, {
    prune: () => pruneAdapters(db, store, { dryRun: false, actor: 'housekeeping', asOf: new Date() }),
  });

  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= (async () => {
      await Promise.all([
        ...[server.close(), watch.stop(), upkeep.stop(), mirrors.stop()],
        ...[reconciler.stop(), housekeeping.stop()],
      ]);
      await tracing?.close();
      await routes.close();
      await temporal.close();
      await db.close();
    })();
    return stopping;
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      stop().catch((error: unknown) => {
        logger.error({ detail: errorDetail(error) }, 'not stopped in good order');
        process.exitCode = 1;
      });
    });
  }
  await server.listen({ host: config.host, port: config.port });
  logger.info({ host: config.host, port: config.port }, 'server listens');
}

main().catch((error: unknown) => {
  const text = error instanceof UnderstudyError ? `${error.code}: ${error.message}` : errorDetail(error);
  process.stderr.write(`${text}\n`);
  process.exit(1);
});
