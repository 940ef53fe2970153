import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { createFeedbackTokens } from '../access/index.js';
import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import { type Arm, hashSubject } from '../interactions/index.js';
import type { FollowedRoute, RouteFollower } from '../routing/index.js';
import type { StateFolder } from '../state/index.js';
import type { Tracing } from '../telemetry/index.js';
import { type AnswerParts, answerCalls } from './answer-call.js';
import { type CaptureLimits, openCaptureQueue } from './capture-queue.js';
import { chooseVersion } from './choose-version.js';
import { openDirectory, type Secrets } from './directory.js';
import { createGatewayMetrics, type GatewayStats } from './gateway-stats.js';
import type { ModelAnswer, ModelCall } from './model-call.js';
import { redactCaptures } from './redact-captures.js';
import { addRouteMetrics } from './route-metrics.js';
import { openShadowTraffic } from './shadow-traffic.js';
import { openSpool, type SpoolOptions } from './spool.js';
import { openUpstreams } from './upstreams.js';

export interface GatewayParts {
  db: Pick<Db, 'pool'>;
  subjectKey: string;
  routes: RouteFollower;
  secrets: Secrets;
  logger: Logger;
  limits?: Partial<CaptureLimits>;
  /** Requests under way at once, streams included; more are refused with `overloaded`. Default: no limit. */
  maxInFlight?: number | undefined;
  /** Where captures go while Postgres is away; without it they wait in memory only. */
  spool?: SpoolOptions;
  /** Where models and versions are kept for a start while Postgres is away. */
  state?: StateFolder;
  /** Spans of the calls; without it nothing is traced. */
  tracing?: Tracing;
}

/** Who is to answer a subject of an app that calls the model itself. */
export interface Assignment {
  model: string;
  /** The version to call: the arm's, or the champion while the route is too old to be trusted. */
  version: number;
  /** Arm and experiment are null outside an experiment. */
  arm: Arm | null;
  experiment: string | null;
  /** Of the route it rests on. */
  epoch: number;
}

export interface Gateway {
  /**
   * Assigns a subject as `answer` would and records the exposure; without a subject the champion, outside the experiment.
   * Needs no Postgres. Throws `unknown_model`.
   */
  assign(request: {
    model: string;
    /** In clear. */
    subject: string | undefined;
    maySee: (model: string) => boolean;
  }): Promise<Assignment>;
  /** Resolves when the exposures of the assignments made so far are stored, or could not be. */
  exposuresStored(): Promise<void>;
  /** Answers one request of an OpenAI client. Throws an UnderstudyError for a request that reaches no upstream. */
  answer(call: ModelCall): Promise<ModelAnswer>;
  /** The models the caller may see that have a route. */
  models(maySee: (model: string) => boolean): { name: string; createdAt: Date }[];
  stats(): GatewayStats;
  metrics: Registry;
  /** Reads models and versions, from disk while Postgres is away. They are read again every second either way. */
  open(): Promise<void>;
  /** Waits for the requests and streams under way, then writes what was captured. */
  close(): Promise<void>;
}

/** The OpenAI-compatible proxy: chooses a version for each request, asks its upstream, captures what happened. */
export function openGateway(parts: GatewayParts): Gateway {
  const { db, subjectKey, routes, logger, maxInFlight = Number.POSITIVE_INFINITY } = parts;
  const directory = openDirectory(db, parts.secrets, logger, parts.state);
  const upstreams = openUpstreams(directory);
  const spool = parts.spool === undefined ? undefined : openSpool(parts.spool);
  const queue = redactCaptures(
    openCaptureQueue(db, logger, parts.limits, spool),
    // Of a model that is not known any more: this may be what it asked for.
    (model) => directory.model(model)?.redactsAtCapture ?? true,
    logger,
  );
  const counts = { requests: 0, failures: 0, fallbacks: 0, withoutSubject: 0 };
  const shadow = openShadowTraffic(db, upstreams, logger);
  const stats = () => ({ ...counts, ...queue.stats(), ...shadow.stats() });
  const metrics = createGatewayMetrics(stats);
  addRouteMetrics(metrics.registry, routes);
  const pending = new Set<Promise<unknown>>();

  const underWay: AnswerParts['underWay'] = (promise) => {
    pending.add(promise);
    const forget = () => pending.delete(promise);
    promise.then(forget, forget);
  };
  const routeFor: AnswerParts['routeFor'] = async ({ model, pinned }, maySee) => {
    for (let before: FollowedRoute | undefined; ; ) {
      const route = maySee(model) ? routes.current(model) : undefined;
      if (route === undefined) throw new UnderstudyError('unknown_model', { model });
      // It may have moved during the wait: whoever was told that it is followed here must not see the one before it.
      if (route.epoch === before?.epoch) return route;
      await directory.ensure(route, pinned ?? route.challenger ?? route.champion);
      before = route;
    }
  };
  const expose: AnswerParts['expose'] = ({ experimentId, arm, assignedVersion }, subject, exposedAt) => {
    if (subject !== null && experimentId !== null && arm !== null && assignedVersion !== null) {
      queue.exposure({ experimentId, subject, arm, version: assignedVersion, exposedAt });
    }
  };
  const answer = answerCalls({
    subjectKey,
    tokens: createFeedbackTokens(subjectKey),
    directory,
    upstreams,
    queue,
    metrics,
    counts,
    logger,
    tracing: parts.tracing,
    routeFor,
    championOf: (route) => routes.current(route.model)?.champion ?? route.champion,
    expose,
    copy: shadow.copy,
    underWay,
  });

  return {
    async assign({ model, subject: named, maySee }) {
      const exposedAt = new Date();
      const route = await routeFor({ model }, maySee);
      const subject = named === undefined ? null : hashSubject(subjectKey, named);
      if (subject === null) counts.withoutSubject += 1;
      const choice = chooseVersion(route, subject, directory.secondArm(route));
      expose(choice, subject, exposedAt);
      const { version, arm, experimentId: experiment } = choice;
      return { model, version, arm, experiment, epoch: route.epoch };
    },
    exposuresStored: queue.exposuresStored,
    async answer(call) {
      counts.requests += 1;
      if (pending.size >= maxInFlight) {
        counts.failures += 1;
        throw new UnderstudyError('overloaded', { limit: maxInFlight });
      }
      const promise = answer(call);
      underWay(promise);
      promise.catch(() => {
        counts.failures += 1;
      });
      return promise;
    },
    models: (maySee) =>
      directory
        .names()
        .filter((name) => maySee(name) && routes.current(name) !== undefined)
        .map((name) => ({ name, createdAt: directory.model(name)!.createdAt })),
    stats,
    metrics: metrics.registry,
    async open() {
      await Promise.all([directory.open(), shadow.refresh().catch(() => undefined)]);
    },
    async close() {
      directory.close();
      // An answer may turn into a stream while it is waited for.
      while (pending.size > 0) await Promise.allSettled(pending);
      await shadow.close();
      await queue.close();
      await upstreams.close();
    },
  };
}
