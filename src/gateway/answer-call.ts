import type { Logger } from 'pino';
import type { FeedbackTokens } from '../access/index.js';
import { UnderstudyError } from '../errors.js';
import { type CapturedInteraction, FALLBACK_TAG, hideSubjects, newId, usageOf } from '../interactions/index.js';
import type { FollowedRoute } from '../routing/index.js';
import type { CallSpan, Tracing } from '../telemetry/index.js';
import { type Attempt, createAttempts } from './attempts.js';
import type { UpstreamResult, UpstreamStream } from './call-upstream.js';
import type { CaptureQueue } from './capture-queue.js';
import { type Choice, chooseVersion } from './choose-version.js';
import type { Directory } from './directory.js';
import type { GatewayMetrics } from './gateway-stats.js';
import { headerOf, type ModelAnswer, type ModelCall, passedOn } from './model-call.js';
import { toOpenAiError } from './openai-error.js';
import { type ModelRequest, parseRequest } from './parse-request.js';
import { createSessions, sessionOf } from './sessions.js';
import type { Copied } from './shadow-traffic.js';
import { spliceJson } from './splice-json.js';
import { type AnswerStream, type StreamEnd, streamAnswer } from './stream-answer.js';
import { openSubjects } from './subject-of-request.js';
import { tokensUsed } from './tokens-used.js';
import { endSpan, startSpan } from './trace-call.js';
import { GONE, isFailure, type Upstreams, whyNot } from './upstreams.js';

export interface AnswerParts {
  subjectKey: string;
  tokens: FeedbackTokens;
  directory: Directory;
  upstreams: Upstreams;
  queue: CaptureQueue;
  metrics: GatewayMetrics;
  counts: { failures: number; fallbacks: number; withoutSubject: number };
  logger: Logger;
  /** Undefined: nothing is traced. */
  tracing: Tracing | undefined;
  /** The route of a model the caller may see, with what it refers to in memory; throws `unknown_model`. */
  routeFor(
    asked: { model: string; pinned?: number | undefined },
    maySee: (model: string) => boolean,
  ): Promise<FollowedRoute>;
  /** The champion as it is now: the route may have moved since the request began. */
  championOf(route: FollowedRoute): number;
  /** Records that a subject was assigned. */
  expose(choice: Choice, subject: string | null, exposedAt: Date): void;
  /** Asks the model's shadow too, behind everybody's back. */
  copy(copied: Copied): void;
  /** Registers something that `close` of the gateway waits for. */
  underWay(pending: Promise<unknown>): void;
}

/** What is known of a call from its arrival to its end. */
interface Asked {
  startedAt: number;
  call: ModelCall;
  request: ModelRequest;
  route: FollowedRoute;
  subject: string | null;
  session: string | null;
  choice: Choice;
  attempt: Attempt;
  /** Assigned to an arm and captured; the others are only passed through. */
  learnsFrom: boolean;
  tags: Record<string, string>;
  span: CallSpan | undefined;
}

/** How it ended. `bytes` is the size of the answer's text. */
interface End {
  version: number;
  status: CapturedInteraction['status'];
  /** Of anything but a complete answer; safe to log, to store and to show. */
  why: string;
  response: CapturedInteraction['response'];
  /** Of a response that is text. */
  usage?: CapturedInteraction['usage'];
  /** The response as an object, where there is one; for the span. */
  json: Record<string, unknown> | null;
  bytes: number;
}

/**
 * The way of one request: who is asked is chosen from route and subject, the champion answers where another version
 * cannot, and how it ended is captured. Throws an UnderstudyError for a request that reaches no upstream.
 */
export function answerCalls(parts: AnswerParts): (call: ModelCall) => Promise<ModelAnswer> {
  const { subjectKey, directory, upstreams, queue, metrics, counts, logger } = parts;
  const sessions = createSessions();
  const subjects = openSubjects(subjectKey);
  const attempts = createAttempts();

  async function receive(call: ModelCall): Promise<Asked> {
    const askedAt = new Date();
    const startedAt = performance.now();
    const request = parseRequest(call.body);
    await parts.routeFor(request, call.maySee);
    const learnsFrom = call.endpoint === 'chat/completions';
    const subject = subjects.of(headerOf(call, 'x-understudy-subject'), request.body);
    if (learnsFrom && subject === null) counts.withoutSubject += 1;
    const attempt = await attempts.begin(call, subject, () => ({ id: newId(askedAt), askedAt }));
    const session = headerOf(call, 'x-understudy-session')?.slice(0, 512) ?? null;
    try {
      // Now, not before what was waited for: no request may be answered from a route that was left before it chose.
      const route = await parts.routeFor(request, call.maySee);
      const choice = choose(request, route, subject, session, learnsFrom);
      parts.expose(choice, subject, askedAt);
      // An attempt that is answered from memory asks nobody.
      const span = attempt.answered === undefined ? startSpan(parts.tracing, call, request, askedAt) : undefined;
      return { startedAt, call, request, route, subject, session, choice, attempt, learnsFrom, tags: {}, span };
    } catch (error) {
      attempt.end(undefined);
      throw error;
    }
  }

  function choose(
    request: ModelRequest,
    route: FollowedRoute,
    subject: string | null,
    session: string | null,
    learnsFrom: boolean,
  ): Choice {
    const { model, pinned: version, body } = request;
    if (version === undefined) {
      if (!learnsFrom) return chooseVersion(route, null, 'challenger');
      const choice = chooseVersion(route, subject, directory.secondArm(route));
      const conversation = sessionOf(model, subject, session ?? undefined, body);
      if (conversation === undefined) return choice;
      const { stickyMs = 0 } = directory.model(model) ?? {};
      return { ...choice, version: sessions.versionFor(conversation, route, choice.version, stickyMs) };
    }
    const target = directory.model(model)?.targets.get(version);
    if (target === undefined) throw new UnderstudyError('unknown_version', { model, version });
    if (target.refused !== null) throw new UnderstudyError(target.refused, { model, version });
    return { version, experimentId: null, arm: null, assignedVersion: null };
  }

  /** Asks the chosen version and, where it is not the champion and cannot answer, the champion. */
  async function ask(asked: Asked): Promise<{ version: number; result: UpstreamResult }> {
    const { call, request, route, choice } = asked;
    const { text, stream, model, pinned } = request;
    const headers = passedOn(call);
    if (asked.span !== undefined) Object.assign(headers, asked.span.headers);
    const question = { endpoint: call.endpoint, text, stream, headers, client: call.client };
    const last = pinned !== undefined || choice.version === route.champion;
    const result = await upstreams.ask(model, choice.version, question, last);
    if (last || !isFailure(result)) return { version: choice.version, result };
    logger.warn(
      { interaction: asked.attempt.id, model, version: choice.version, why: whyNot(result) },
      'the champion answers for a version that could not',
    );
    counts.fallbacks += 1;
    asked.tags[FALLBACK_TAG] = 'true';
    const champion = parts.championOf(route);
    return { version: champion, result: await upstreams.ask(model, champion, question, true) };
  }

  /** Counts how it ended and captures it. */
  function settle(asked: Asked, end: End): void {
    const { version, status, why, response, usage, bytes } = end;
    endSpan(asked, end, directory);
    const { request, call, subject, session, choice, tags } = asked;
    const { id, askedAt, number } = asked.attempt;
    const latencyMs = performance.now() - asked.startedAt;
    metrics.observe(latencyMs / 1_000, status);
    if (call.charge !== undefined && end.json !== null) call.charge(tokensUsed(request.text, end.json));
    if (why !== GONE && status !== 'complete') {
      counts.failures += 1;
      tags['understudy.failure'] = why;
      logger.warn({ interaction: id, model: request.model, version, why }, 'a request failed');
    }
    if (!request.store || !asked.learnsFrom) return;
    if (status === 'complete' && request.pinned === undefined) {
      parts.copy({ id, model: request.model, text: request.text, stream: request.stream });
    }
    const hidden = hideSubjects(subjectKey, request.body);
    queue.interaction(
      {
        id,
        model: request.model,
        askedAt,
        subject,
        session,
        experimentId: choice.experimentId,
        arm: choice.arm,
        assignedVersion: choice.assignedVersion,
        version,
        status,
        request: hidden === request.body ? request.text : hidden,
        response,
        usage,
        latencyMs,
        tags,
        attempt: number,
      },
      // Parsed JSON takes several times its text.
      (typeof response === 'string' ? 2 : 4) * (call.body.length + bytes) + 1_024,
    );
  }

  /** A streamed answer that `close` waits for. */
  function streamOf(asked: Asked, upstream: UpstreamStream, onEnd: (end: StreamEnd) => void): AnswerStream {
    let ended = () => {};
    parts.underWay(
      new Promise<void>((resolve) => {
        ended = resolve;
      }),
    );
    return streamAnswer(upstream, asked.learnsFrom ? asked.attempt.id : null, asked.call.client, (end) => {
      onEnd(end);
      ended();
    });
  }

  /** With it a browser may rate this answer; undefined where the policy asks for none or nothing is captured. */
  function feedbackToken({ attempt: { id, askedAt }, request, learnsFrom }: Asked): string | undefined {
    const goodFor = directory.model(request.model)?.feedbackTokenMs ?? null;
    if (goodFor === null || !learnsFrom || !request.store) return undefined;
    return parts.tokens.make({ interaction: id, model: request.model }, askedAt.getTime() + goodFor);
  }

  async function answer(asked: Asked): Promise<ModelAnswer> {
    const { attempt } = asked;
    const { version, result } = await ask(asked);
    const headers = understudyHeaders(asked, version, feedbackToken(asked));
    if (result.kind === 'stream') {
      const body = streamOf(asked, result.stream, ({ status, why, response, bytes }) => {
        settle(asked, { version, status, why: why ?? GONE, response, json: response, bytes });
        attempt.end(undefined);
      });
      return { status: result.status, headers: { ...result.headers, ...headers }, body };
    }
    const { body, end } = endOf(asked, version, result);
    settle(asked, end);
    const whole = answerOf(result, body, headers);
    attempt.end(whole.status < 400 ? whole : undefined);
    return whole;
  }

  return async (call) => {
    const asked = await receive(call);
    if (asked.attempt.answered !== undefined) return asked.attempt.answered;
    try {
      return await answer(asked);
    } catch (error) {
      // Whoever waits for this attempt must not wait for ever.
      asked.attempt.end(undefined);
      throw error;
    }
  };
}

type WholeResult = Exclude<UpstreamResult, { kind: 'stream' }>;

/** What is captured of an answer in one piece, and the body that the client gets. */
function endOf(
  { attempt: { id }, learnsFrom }: Asked,
  version: number,
  result: WholeResult,
): { end: End; body: string } {
  const why = whyNot(result);
  if (result.kind !== 'answer') {
    const status = result.kind === 'gone' ? 'incomplete' : 'failed';
    const body = JSON.stringify(toOpenAiError(failed(result)));
    return { end: { version, status, why, response: null, json: null, bytes: 0 }, body };
  }
  const { json, text } = result;
  const bytes = text.length;
  if (result.status >= 400 || json === null)
    return { end: { version, status: 'failed', why, response: json, json, bytes }, body: text };
  if (!learnsFrom) return { end: { version, status: 'complete', why, response: null, json, bytes }, body: text };
  const body = spliceJson(text, 'id', `"${id}"`);
  const response = withUpstreamId(body, json.id);
  return { end: { version, status: 'complete', why, response, usage: usageOf(json), json, bytes }, body };
}

/** The answer as it is stored: with our id, and with the upstream's behind everything else. */
function withUpstreamId(body: string, upstreamId: unknown): string {
  if (upstreamId === undefined) return body;
  return `${body.slice(0, body.lastIndexOf('}'))},"upstream_id":${JSON.stringify(upstreamId)}}`;
}

function failed(result: WholeResult): UnderstudyError {
  return new UnderstudyError('upstream_failed', { detail: whyNot(result) });
}

function answerOf(result: WholeResult, body: string, headers: Record<string, string>): ModelAnswer {
  headers['content-type'] = 'application/json';
  if (result.kind !== 'answer') return { status: failed(result).status, headers, body };
  Object.assign(headers, result.headers);
  return { status: result.status, headers, body };
}

function understudyHeaders(asked: Asked, version: number, token: string | undefined): Record<string, string> {
  const { arm } = asked.choice;
  const headers: Record<string, string> = {
    'x-understudy-interaction': asked.attempt.id,
    'x-understudy-model': asked.request.model,
    'x-understudy-version': String(version),
  };
  if (arm !== null) headers['x-understudy-arm'] = arm;
  if (token !== undefined) headers['x-understudy-feedback-token'] = token;
  return headers;
}
