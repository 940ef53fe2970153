import type { Readable } from 'node:stream';
import type { Logger } from 'pino';
import { UnderstudyError } from '../errors.js';
import { type Arm, type CapturedInteraction, FALLBACK_TAG, hideSubjects, newId } from '../interactions/index.js';
import type { Route } from '../routing/index.js';
import type { UpstreamResult, UpstreamStream } from './call-upstream.js';
import type { CaptureQueue } from './capture-queue.js';
import { type Choice, chooseVersion } from './choose-version.js';
import type { Directory } from './directory.js';
import type { GatewayMetrics } from './gateway-stats.js';
import { headerOf, type ModelAnswer, type ModelCall, passedOn } from './model-call.js';
import { toOpenAiError } from './openai-error.js';
import { type ModelRequest, parseRequest } from './parse-request.js';
import { spliceMember } from './splice-json.js';
import { type StreamEnd, streamAnswer } from './stream-answer.js';
import { subjectOfRequest } from './subject-of-request.js';
import { GONE, isFailure, type Upstreams, whyNot } from './upstreams.js';

export interface AnswerParts {
  subjectKey: string;
  directory: Directory;
  upstreams: Upstreams;
  queue: CaptureQueue;
  metrics: GatewayMetrics;
  counts: { failures: number; fallbacks: number; withoutSubject: number };
  logger: Logger;
  /** The route of a model the caller may see, with what it refers to in memory; throws `unknown_model`. */
  routeFor(
    asked: { model: string; pinned?: number | undefined },
    maySee: (model: string) => boolean,
  ): Promise<Route & { expired: boolean }>;
  /** Records that a subject was assigned. */
  expose(choice: Choice, subject: string | null, exposedAt: Date): void;
  /** Registers something that `close` of the gateway waits for. */
  underWay(pending: Promise<unknown>): void;
}

/** What is known of a call from its arrival to its end. */
interface Asked {
  id: string;
  askedAt: Date;
  startedAt: number;
  call: ModelCall;
  request: ModelRequest;
  route: Route & { expired: boolean };
  subject: string | null;
  choice: Choice;
  /** Assigned to an arm and captured; the others are only passed through. */
  learnsFrom: boolean;
  tags: Record<string, string>;
}

/** How it ended. `bytes` is the size of the answer's text. */
interface End {
  version: number;
  status: CapturedInteraction['status'];
  /** Of anything but a complete answer; safe to log, to store and to show. */
  why: string;
  response: Record<string, unknown> | null;
  bytes: number;
}

/**
 * The way of one request: who is asked is chosen from route and subject, the champion answers where another version
 * cannot, and how it ended is captured. Throws an UnderstudyError for a request that reaches no upstream.
 */
export function answerCalls(parts: AnswerParts): (call: ModelCall) => Promise<ModelAnswer> {
  const { subjectKey, directory, upstreams, queue, metrics, counts, logger } = parts;

  async function receive(call: ModelCall): Promise<Asked> {
    const askedAt = new Date();
    const startedAt = performance.now();
    const request = parseRequest(call.body);
    const route = await parts.routeFor(request, call.maySee);
    const learnsFrom = call.endpoint === 'chat/completions';
    const subject = subjectOfRequest(subjectKey, headerOf(call, 'x-understudy-subject'), request.body);
    if (learnsFrom && subject === null) counts.withoutSubject += 1;
    const choice = choose(request, route, learnsFrom ? subject : null);
    parts.expose(choice, subject, askedAt);
    return { id: newId(askedAt), askedAt, startedAt, call, request, route, subject, choice, learnsFrom, tags: {} };
  }

  function choose(request: ModelRequest, route: Route & { expired: boolean }, subject: string | null): Choice {
    if (request.pinned === undefined) return chooseVersion(route, subject, directory.secondArm(route));
    const { model, pinned: version } = request;
    const target = directory.model(model)?.targets.get(version);
    if (target === undefined) throw new UnderstudyError('unknown_version', { model, version });
    if (target.rejected) throw new UnderstudyError('version_rejected', { model, version });
    return { version, experimentId: null, arm: null, assignedVersion: null };
  }

  /** Asks the chosen version and, where it is not the champion and cannot answer, the champion. */
  async function ask(asked: Asked): Promise<{ version: number; result: UpstreamResult }> {
    const { call, request, route, choice } = asked;
    const { text, stream, model, pinned } = request;
    const question = { endpoint: call.endpoint, text, stream, headers: passedOn(call), client: call.client };
    const last = pinned !== undefined || choice.version === route.champion;
    const result = await upstreams.ask(model, choice.version, question, last);
    if (last || !isFailure(result)) return { version: choice.version, result };
    logger.warn(
      { interaction: asked.id, model, version: choice.version, why: whyNot(result) },
      'the champion answers for a version that could not',
    );
    counts.fallbacks += 1;
    asked.tags[FALLBACK_TAG] = 'true';
    return { version: route.champion, result: await upstreams.ask(model, route.champion, question, true) };
  }

  /** Counts how it ended and captures it. */
  function settle(asked: Asked, { version, status, why, response, bytes }: End): void {
    const { id, request, call, subject, choice, tags } = asked;
    const latencyMs = performance.now() - asked.startedAt;
    metrics.observe(latencyMs / 1_000, status);
    if (why !== GONE && status !== 'complete') {
      counts.failures += 1;
      tags['understudy.failure'] = why;
      logger.warn({ interaction: id, model: request.model, version, why }, 'a request failed');
    }
    if (!request.store || !asked.learnsFrom) return;
    queue.interaction(
      {
        id,
        model: request.model,
        askedAt: asked.askedAt,
        subject,
        session: headerOf(call, 'x-understudy-session')?.slice(0, 512) ?? null,
        experimentId: choice.experimentId,
        arm: choice.arm,
        assignedVersion: choice.assignedVersion,
        version,
        status,
        request: hideSubjects(subjectKey, request.body),
        response,
        latencyMs,
        tags,
      },
      // Parsed JSON takes several times its text.
      4 * (call.body.length + bytes) + 1_024,
    );
  }

  /** A streamed answer that `close` waits for. */
  function streamOf(asked: Asked, upstream: UpstreamStream, onEnd: (end: StreamEnd) => void): Readable {
    let ended = () => {};
    parts.underWay(
      new Promise<void>((resolve) => {
        ended = resolve;
      }),
    );
    return streamAnswer(upstream, asked.learnsFrom ? asked.id : null, asked.call.client, (end) => {
      onEnd(end);
      ended();
    });
  }

  return async (call) => {
    const asked = await receive(call);
    const { version, result } = await ask(asked);
    const headers = understudyHeaders(asked.id, asked.request.model, version, asked.choice.arm);
    if (result.kind === 'stream') {
      const body = streamOf(asked, result.stream, ({ status, why, response, bytes }) =>
        settle(asked, { version, status, why: why ?? GONE, response, bytes }),
      );
      return { status: result.status, headers: { ...result.headers, ...headers }, body };
    }
    settle(asked, { version, why: whyNot(result), ...endOf(asked, result) });
    return answerOf(asked, result, headers);
  };
}

type WholeResult = Exclude<UpstreamResult, { kind: 'stream' }>;

function endOf({ id }: Asked, result: WholeResult): Pick<End, 'status' | 'response' | 'bytes'> {
  if (result.kind === 'gone') return { status: 'incomplete', response: null, bytes: 0 };
  if (result.kind === 'failure') return { status: 'failed', response: null, bytes: 0 };
  const { json, text } = result;
  if (result.status >= 400) return { status: 'failed', response: json, bytes: text.length };
  return { status: 'complete', response: json && { ...json, id, upstream_id: json.id }, bytes: text.length };
}

function answerOf({ id, learnsFrom }: Asked, result: WholeResult, headers: Record<string, string>): ModelAnswer {
  if (result.kind === 'answer') {
    const isOurs = learnsFrom && result.status < 400;
    return {
      status: result.status,
      headers: { 'content-type': 'application/json', ...result.headers, ...headers },
      body: isOurs ? spliceMember(result.text, 'id', id) : result.text,
    };
  }
  const error = new UnderstudyError('upstream_failed', { detail: whyNot(result) });
  return {
    status: error.status,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(toOpenAiError(error)),
  };
}

function understudyHeaders(id: string, model: string, version: number, arm: Arm | null): Record<string, string> {
  return {
    'x-understudy-interaction': id,
    'x-understudy-model': model,
    'x-understudy-version': String(version),
    ...(arm === null ? {} : { 'x-understudy-arm': arm }),
  };
}
