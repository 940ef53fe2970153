import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import type { Logger } from 'pino';
import { createAuthenticator, createFeedbackTokens, openSavedKeys } from '../access/index.js';
import type { Db } from '../db/index.js';
import { errorDetail } from '../errors.js';
import { type CaptureLimits, type Gateway, openGateway, type Secrets, type SpoolOptions } from '../gateway/index.js';
import { newId, startFeedbackSweep } from '../interactions/index.js';
import type { RouteFollower } from '../routing/index.js';
import type { StateFolder } from '../state/index.js';
import type { Tracing } from '../telemetry/index.js';
import { createRouteTable } from './define-route.js';
import { openDirectLane } from './direct-lane.js';
import { feedbackCors } from './feedback-cors.js';
import { createFeedbackMetrics } from './feedback-metrics.js';
import { answerBrokenConnection, answerFrameworkError, handleErrors } from './handle-errors.js';
import { takeJson } from './json-body.js';
import type { Operations } from './operations.js';
import { assignmentRoute } from './routes/assignment-route.js';
import { captureRoutes } from './routes/capture-routes.js';
import { gatewayRoutes } from './routes/gateway-routes.js';
import { healthRoutes } from './routes/health-routes.js';
import { historyRoutes } from './routes/history-routes.js';
import { modelRoutes } from './routes/model-routes.js';
import { operateRoutes } from './routes/operate-routes.js';
import { otlpRoutes } from './routes/otlp-routes.js';
import { reviewRoutes } from './routes/review-routes.js';
import { shadowRoutes } from './routes/shadow-routes.js';
import { versionRoutes } from './routes/version-routes.js';
import { followSilentConnections } from './silent-connections.js';

export const VERSION = '0.1.0';
const ARRIVAL_TIMEOUT_MS = 120_000;

export interface ServerParts {
  db: Db;
  /** Key of the HMAC under which subjects are stored. */
  subjectKey: string;
  /** Followed by the caller, who also closes it, after the server. */
  routes: RouteFollower;
  operations: Operations;
  /** Value of a `${VARIABLE}` a policy refers to; throws `missing_variable`. */
  secrets: Secrets;
  logger: Logger;
  captureLimits?: Partial<CaptureLimits>;
  /** See `GatewayParts`. */
  maxInFlight?: number;
  spool?: SpoolOptions;
  /** Origins whose pages may send feedback with a token, see `feedbackCors`. */
  feedbackOrigins?: readonly string[];
  /** How long feedback waits for its interaction, in milliseconds; default 30 days. */
  parkedFeedbackMs?: number;
  /** Where it keeps what it needs to start while Postgres is away; without it such a start knows nothing. */
  state?: StateFolder;
  /** Closed by the caller, after the server. */
  tracing?: Tracing;
  /** How long a request may take to arrive; 120 s unless told. */
  arrivalTimeoutMs?: number;
}

declare module 'fastify' {
  interface FastifyInstance {
    gateway: Gateway;
  }
}

/**
 * Gateway, capture, API and health on one fastify instance, not yet listening. `close()` lets requests end and writes
 * what was captured; the database and the route follower stay the caller's.
 */
export function createServer(parts: ServerParts): FastifyInstance {
  const { db, logger, routes } = parts;
  const gateway = openGateway({
    db,
    subjectKey: parts.subjectKey,
    routes,
    secrets: parts.secrets,
    logger,
    maxInFlight: parts.maxInFlight,
    ...(parts.captureLimits === undefined ? {} : { limits: parts.captureLimits }),
    ...(parts.spool === undefined ? {} : { spool: parts.spool }),
    ...(parts.state === undefined ? {} : { state: parts.state }),
    ...(parts.tracing === undefined ? {} : { tracing: parts.tracing }),
  });
  const { arrivalTimeoutMs = ARRIVAL_TIMEOUT_MS } = parts;
  const app: FastifyInstance = Fastify({
    loggerInstance: logger as FastifyBaseLogger,
    // One line a request of our own, see onResponse.
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    requestIdHeader: false,
    // Of an instant: those are cheaper, and nobody needs the ids of requests to grow.
    genReqId: () => newId(new Date()),
    routerOptions: { maxParamLength: 200 },
    frameworkErrors: answerFrameworkError,
    clientErrorHandler: answerBrokenConnection,
    // For a request to arrive, body included: a client that never ends must not hold its place for ever.
    requestTimeout: arrivalTimeoutMs,
    // Node takes the longer one of the two for the whole request.
    http: {
      requestTimeout: arrivalTimeoutMs,
      headersTimeout: Math.min(60_000, arrivalTimeoutMs),
      connectionsCheckingInterval: Math.min(30_000, arrivalTimeoutMs / 4),
    },
  });
  app.removeContentTypeParser('text/plain');
  takeJson(app);
  app.decorateRequest('principal', undefined);
  app.decorateRequest('feedbackClaim', undefined);
  app.decorate('gateway', gateway);

  const authenticator = createAuthenticator(db, {
    ...(parts.state === undefined
      ? {}
      : { saved: openSavedKeys(parts.state, (why) => logger.warn({ why }, 'the saved keys were not taken')) }),
    onError: (work, error) =>
      logger.warn({ work, detail: errorDetail(error) }, 'work on keys in the background failed'),
  });
  const table = createRouteTable(authenticator);
  // First: a preflight asks for a method that no route has.
  feedbackCors(app, parts.feedbackOrigins ?? []);
  handleErrors(app, table.definitions);
  gatewayRoutes(app, table, gateway);
  assignmentRoute(app, table, gateway);
  const feedbackMetrics = createFeedbackMetrics(gateway.metrics);
  captureRoutes(app, table, {
    db,
    subjectKey: parts.subjectKey,
    tokens: createFeedbackTokens(parts.subjectKey),
    gateway,
    metrics: feedbackMetrics,
  });
  otlpRoutes(app, table, { db, subjectKey: parts.subjectKey, gateway, metrics: feedbackMetrics });
  modelRoutes(app, table, db);
  historyRoutes(app, table, db);
  versionRoutes(app, table, db);
  operateRoutes(app, table, db, parts.operations);
  reviewRoutes(app, table, db);
  shadowRoutes(app, table, db, parts.operations);
  healthRoutes(app, table, { db, routes, metrics: gateway.metrics, version: VERSION });

  let closing = false;
  openDirectLane(app.server, { authenticator, gateway, logger, closing: () => closing });
  app.addHook('onResponse', async (request, reply) => {
    // The route's pattern, not the address: an address may name somebody.
    const { method, url } = request.routeOptions;
    request.log.debug({ method, route: url, status: reply.statusCode, ms: Math.round(reply.elapsedTime) }, 'answered');
    // A stream that began before the shutdown could not say that its connection closes.
    if (closing) request.raw.socket.end();
  });
  app.addHook('onReady', async () => {
    await authenticator.start();
    await gateway.open();
  });
  // Without this a connection kept alive by a request under way holds the shutdown up until its client lets go.
  const closeSilent = followSilentConnections(app.server);
  app.addHook('preClose', async () => {
    closing = true;
    closeSilent();
  });
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (closing) reply.header('connection', 'close');
    done();
  });
  const sweep = startFeedbackSweep(db, {
    parkedMs: parts.parkedFeedbackMs ?? 30 * 86_400_000,
    onExpired(count) {
      feedbackMetrics.expired(count);
      logger.warn({ count }, 'feedback was deleted: its interaction did not come in time');
    },
    onError: (error) => logger.warn({ detail: errorDetail(error) }, 'parked feedback was not swept'),
  });
  app.addHook('onClose', async () => {
    sweep.stop();
    await gateway.close();
    // Last: an answer that ends now still counts.
    await authenticator.close();
  });
  return app;
}
