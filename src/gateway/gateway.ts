import type { Readable } from 'node:stream';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { Agent } from 'undici';
import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import {
  type Arm,
  type CapturedInteraction,
  FALLBACK_TAG,
  hashSubject,
  hideSubjects,
  newId,
} from '../interactions/index.js';
import type { Route, RouteFollower } from '../routing/index.js';
import { callUpstream, type UpstreamResult, type UpstreamStream } from './call-upstream.js';
import { type CaptureLimits, openCaptureQueue } from './capture-queue.js';
import { type Choice, chooseVersion } from './choose-version.js';
import { openDirectory, type Secrets } from './directory.js';
import { createGatewayMetrics, type GatewayStats } from './gateway-stats.js';
import { toOpenAiError } from './openai-error.js';
import { type ChatRequest, parseChat } from './parse-chat.js';
import { spliceMember } from './splice-json.js';
import { openSpool, type SpoolOptions } from './spool.js';
import { type StreamEnd, streamAnswer } from './stream-answer.js';
import { decodeHeader, subjectOfRequest } from './subject-of-request.js';

export interface GatewayParts {
  db: Pick<Db, 'pool'>;
  subjectKey: string;
  routes: RouteFollower;
  secrets: Secrets;
  logger: Logger;
  limits?: Partial<CaptureLimits>;
  /** Where captures go while Postgres is away; without it they wait in memory only. */
  spool?: SpoolOptions;
}

export interface ChatCall {
  /** The body as it came. */
  body: Buffer;
  /** In lower case. */
  headers: Record<string, string | string[] | undefined>;
  /** Models the caller may not see are answered as unknown. */
  maySee: (model: string) => boolean;
  /** Fires when the client goes away. */
  client: AbortSignal;
}

export interface ChatAnswer {
  status: number;
  headers: Record<string, string>;
  /** A stream is read to its end or destroyed; it ends by itself when the client goes away. */
  body: string | Readable;
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
   * Assigns a subject as `chat` would and records the exposure; without a subject the champion, outside the experiment.
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
  /** Answers one chat completion. Throws an UnderstudyError for a request that reaches no upstream. */
  chat(call: ChatCall): Promise<ChatAnswer>;
  /** The models the caller may see that have a route. */
  models(maySee: (model: string) => boolean): { name: string; createdAt: Date }[];
  stats(): GatewayStats;
  metrics: Registry;
  /** Reads models and versions; throws when Postgres is away. They are read again every second either way. */
  refresh(): Promise<void>;
  /** Waits for the requests and streams under way, then writes what was captured. */
  close(): Promise<void>;
}

/** Statuses of an upstream that are not the client's doing: our credentials, our model name, its load, its failure. */
const NOT_THE_CLIENTS = new Set([401, 403, 404, 408, 429]);
const PASSED_ON = ['traceparent', 'tracestate'];
const CONNECT_TIMEOUT_MS = 3_000;
const GONE = 'client gone';

/** The OpenAI-compatible proxy: chooses a version for each request, asks its upstream, captures what happened. */
export function openGateway(parts: GatewayParts): Gateway {
  const { db, subjectKey, routes, logger } = parts;
  const directory = openDirectory(db, parts.secrets, logger);
  const queue = openCaptureQueue(
    db,
    logger,
    parts.limits,
    parts.spool === undefined ? undefined : openSpool(parts.spool),
  );
  // Time-outs are the target's, see callUpstream; undici's own would cut long generations.
  const dispatcher = new Agent({
    connections: 256,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const counts = { requests: 0, failures: 0, fallbacks: 0, withoutSubject: 0 };
  const stats = () => ({ ...counts, ...queue.stats() });
  const metrics = createGatewayMetrics(stats);
  const underWay = new Set<Promise<unknown>>();
  let turn = 0;

  async function ask(model: string, version: number, chat: ChatRequest, call: ChatCall): Promise<UpstreamResult> {
    const target = directory.model(model)?.targets.get(version);
    if (target === undefined)
      return { kind: 'failure', reason: 'misconfigured', detail: `version ${version} is not known here` };
    turn = (turn + 1) % 1_000_000;
    const { text, stream } = chat;
    return callUpstream({ dispatcher, target, turn, text, stream, headers: passedOn(call), client: call.client });
  }

  /** The route, or `unknown_model`; with what it refers to in memory. */
  async function routeFor(
    { model, pinned }: { model: string; pinned?: number | undefined },
    maySee: (model: string) => boolean,
  ): Promise<Route & { expired: boolean }> {
    const route = maySee(model) ? routes.current(model) : undefined;
    if (route === undefined) throw new UnderstudyError('unknown_model', { model });
    await directory.ensure(route, pinned ?? route.challenger ?? route.champion);
    return route;
  }

  function expose({ experimentId, arm, assignedVersion }: Choice, subject: string | null, exposedAt: Date): void {
    if (subject !== null && experimentId !== null && arm !== null && assignedVersion !== null) {
      queue.exposure({ experimentId, subject, arm, version: assignedVersion, exposedAt });
    }
  }

  function choose(chat: ChatRequest, route: Route & { expired: boolean }, subject: string | null): Choice {
    if (chat.pinned === undefined) return chooseVersion(route, subject, directory.secondArm(route));
    const { model, pinned: version } = chat;
    const target = directory.model(model)?.targets.get(version);
    if (target === undefined) throw new UnderstudyError('unknown_version', { model, version });
    if (target.rejected) throw new UnderstudyError('version_rejected', { model, version });
    return { version, experimentId: null, arm: null, assignedVersion: null };
  }

  async function answer(call: ChatCall): Promise<ChatAnswer> {
    const askedAt = new Date();
    const startedAt = performance.now();
    const chat = parseChat(call.body);
    const route = await routeFor(chat, call.maySee);
    const subject = subjectOfRequest(subjectKey, header(call, 'x-understudy-subject'), chat.body);
    if (subject === null) counts.withoutSubject += 1;
    const choice = choose(chat, route, subject);
    const { experimentId, arm, assignedVersion } = choice;
    expose(choice, subject, askedAt);

    const id = newId(askedAt);
    const tags: Record<string, string> = {};
    let version = choice.version;
    let result = await ask(chat.model, version, chat, call);
    if (chat.pinned === undefined && version !== route.champion && isFailure(result)) {
      logger.warn(
        { interaction: id, model: chat.model, version, why: why(result) },
        'the champion answers for a version that could not',
      );
      counts.fallbacks += 1;
      tags[FALLBACK_TAG] = 'true';
      version = route.champion;
      result = await ask(chat.model, version, chat, call);
    }

    /** Counts and captures how it ended; `size` is that of the answer's text. */
    const settle = (
      status: CapturedInteraction['status'],
      reason: string,
      response: Record<string, unknown> | null,
      size: number,
    ) => {
      const latencyMs = performance.now() - startedAt;
      metrics.observe(latencyMs / 1_000, status);
      if (reason !== GONE && status !== 'complete') {
        counts.failures += 1;
        tags['understudy.failure'] = reason;
        logger.warn({ interaction: id, model: chat.model, version, why: reason }, 'a chat completion failed');
      }
      if (!chat.store) return;
      queue.interaction(
        {
          id,
          model: chat.model,
          askedAt,
          subject,
          session: header(call, 'x-understudy-session')?.slice(0, 512) ?? null,
          experimentId,
          arm,
          assignedVersion,
          version,
          status,
          request: hideSubjects(subjectKey, chat.body),
          response,
          latencyMs,
          tags,
        },
        // Parsed JSON takes several times its text.
        4 * (call.body.length + size) + 1_024,
      );
    };
    const headers = {
      'x-understudy-interaction': id,
      'x-understudy-model': chat.model,
      'x-understudy-version': String(version),
      ...(arm === null ? {} : { 'x-understudy-arm': arm }),
    };
    if (result.kind === 'stream') {
      const body = streamUnderWay(result.stream, id, call.client, ({ status, why: reason, response, bytes }) =>
        settle(status, reason ?? GONE, response, bytes),
      );
      return { status: result.status, headers: { ...result.headers, ...headers }, body };
    }
    const succeeded = result.kind === 'answer' && result.status < 400;
    const status = result.kind === 'gone' ? 'incomplete' : succeeded ? 'complete' : 'failed';
    const json = result.kind === 'answer' ? result.json : null;
    const response = json === null ? null : succeeded ? { ...json, id, upstream_id: json.id } : json;
    settle(status, why(result), response, result.kind === 'answer' ? result.text.length : 0);
    return toAnswer(result, id, headers);
  }

  /** A streamed answer that `close` waits for. */
  function streamUnderWay(
    upstream: UpstreamStream,
    id: string,
    client: AbortSignal,
    onEnd: (end: StreamEnd) => void,
  ): Readable {
    let ended = () => {};
    const promise = new Promise<void>((resolve) => {
      ended = resolve;
    });
    underWay.add(promise);
    return streamAnswer(upstream, id, client, (end) => {
      onEnd(end);
      underWay.delete(promise);
      ended();
    });
  }

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
    chat(call) {
      counts.requests += 1;
      const pending = answer(call).catch((error: unknown) => {
        counts.failures += 1;
        throw error;
      });
      underWay.add(pending);
      return pending.finally(() => underWay.delete(pending));
    },
    models: (maySee) =>
      directory
        .names()
        .filter((name) => maySee(name) && routes.current(name) !== undefined)
        .map((name) => ({ name, createdAt: directory.model(name)!.createdAt })),
    stats,
    metrics: metrics.registry,
    refresh: directory.refresh,
    async close() {
      directory.close();
      // An answer may turn into a stream while it is waited for.
      while (underWay.size > 0) await Promise.allSettled(underWay);
      await queue.close();
      await dispatcher.close();
    },
  };
}

function toAnswer(
  result: Exclude<UpstreamResult, { kind: 'stream' }>,
  id: string,
  headers: Record<string, string>,
): ChatAnswer {
  if (result.kind === 'answer') {
    const body = result.status < 400 ? spliceMember(result.text, 'id', id) : result.text;
    return {
      status: result.status,
      headers: { 'content-type': 'application/json', ...result.headers, ...headers },
      body,
    };
  }
  const error = new UnderstudyError('upstream_failed', { detail: why(result) });
  return {
    status: error.status,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(toOpenAiError(error)),
  };
}

/** Whether a version other than the champion gets a second chance by the champion. */
function isFailure(result: UpstreamResult): boolean {
  if (result.kind === 'answer') return result.status >= 500 || NOT_THE_CLIENTS.has(result.status);
  return result.kind === 'failure';
}

/** Safe to log, to store and to show. */
function why(result: UpstreamResult): string {
  if (result.kind === 'answer') return `status ${result.status}`;
  return result.kind === 'failure' ? `${result.reason}: ${result.detail}`.slice(0, 200) : GONE;
}

function header(call: ChatCall, name: string): string | undefined {
  const value = call.headers[name];
  return decodeHeader(Array.isArray(value) ? value[0] : value);
}

function passedOn(call: ChatCall): Record<string, string> {
  return Object.fromEntries(
    PASSED_ON.flatMap((name) => {
      const value = call.headers[name];
      return typeof value === 'string' ? [[name, value]] : [];
    }),
  );
}
