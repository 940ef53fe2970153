import { type Dispatcher, request } from 'undici';
import { errorDetail } from '../errors.js';
import type { Target } from './directory.js';
import { spliceMember } from './splice-json.js';

/** Why a version gave no usable answer; safe to log and to show. */
export type FailureReason =
  | 'timeout'
  | 'unreachable'
  | 'broken'
  | 'nonsense'
  | 'too_large'
  | 'misconfigured'
  | 'circuit_open';

export type UpstreamResult =
  /** It answered. `json` is the parsed object; null only for an error status whose body is something else. */
  | {
      kind: 'answer';
      status: number;
      headers: Record<string, string>;
      text: string;
      json: Record<string, unknown> | null;
    }
  /** It streams, and its first bytes are there. The stream must be read to its end or cancelled. */
  | { kind: 'stream'; status: number; headers: Record<string, string>; stream: UpstreamStream }
  | Failure
  | Gone;

interface Failure {
  kind: 'failure';
  reason: FailureReason;
  detail: string;
}

/** The client went away; the upstream was told to stop. */
interface Gone {
  kind: 'gone';
}

export interface UpstreamStream {
  /** What comes next; waits for it no longer than the target's time-out. Not called again after anything but bytes. */
  next(): Promise<{ kind: 'bytes'; bytes: Buffer } | { kind: 'end' } | Failure | Gone>;
  /** Tells the upstream to stop, where it has not ended. */
  cancel(): void;
}

export interface UpstreamCall {
  dispatcher: Dispatcher;
  target: Target;
  /** The whole address. */
  url: string;
  /** For the answer or, when it streams, its first byte; by the clock of `performance`. */
  deadline: number;
  /** The client's body, as it came. */
  text: string;
  /** Whether the client asked for server-sent events. */
  stream: boolean;
  /** Passed on as they are. */
  headers: Record<string, string>;
  /** Fires when the client goes away. */
  client: AbortSignal;
}

const MAX_ANSWER_BYTES = 32 * 1_024 * 1_024;
/** Nothing of the request has reached a server: another replica may be tried without harm. */
const NOT_CONNECTED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
]);
const CUT = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);
/** Headers of the answer that mean something to an OpenAI client. */
const PASSED_BACK = /^(content-type|retry-after(-ms)?|x-should-retry|x-ratelimit-.+)$/;

class TimeOut extends Error {}

/**
 * Asks one replica of a version, until the deadline: for the whole answer or, when it streams, for its first byte, and for
 * the target's time-out again at every wait between bytes after that. Only `model` is replaced in the body. Never throws.
 */
export async function callUpstream(call: UpstreamCall): Promise<UpstreamResult> {
  const { target, deadline, client } = call;
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new TimeOut()), Math.max(0, deadline - performance.now()));
  const leave = () => controller.abort();
  client.addEventListener('abort', leave, { once: true });
  if (client.aborted) leave();
  let streams = false;
  try {
    const result = await send(call, target.apiKey(), spliceMember(call.text, 'model', target.model), controller);
    streams = result.kind === 'stream';
    return result;
  } catch (error) {
    return { kind: 'failure', reason: 'misconfigured', detail: errorDetail(error) };
  } finally {
    clearTimeout(timer);
    // A stream goes on: its client may still leave.
    if (!streams) client.removeEventListener('abort', leave);
  }
}

async function send(
  { dispatcher, target, url, client, headers, stream }: UpstreamCall,
  apiKey: string | undefined,
  body: string,
  controller: AbortController,
): Promise<UpstreamResult> {
  const { signal } = controller;
  for (let attempt = 1; ; attempt++) {
    let answered = false;
    try {
      const answer = await request(url, {
        method: 'POST',
        dispatcher,
        signal,
        body,
        headers: {
          ...headers,
          'content-type': 'application/json',
          accept: stream ? 'text/event-stream, application/json' : 'application/json',
          ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
        },
      });
      answered = true;
      const { statusCode } = answer;
      if (stream && statusCode < 300 && /^text\/event-stream\b/i.test(String(answer.headers['content-type']))) {
        return await openStream(answer, controller, client, target.timeoutMs);
      }
      const text = await readText(answer.body);
      if (text === undefined)
        return { kind: 'failure', reason: 'too_large', detail: `more than ${MAX_ANSWER_BYTES} bytes` };
      const json = parseObject(text);
      const redirected = answer.statusCode >= 300 && answer.statusCode < 400;
      if (redirected || (json === null && answer.statusCode < 400)) {
        return { kind: 'failure', reason: 'nonsense', detail: `status ${answer.statusCode} without an answer` };
      }
      return { kind: 'answer', status: answer.statusCode, headers: passedBack(answer.headers), text, json };
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      if (client.aborted || signal.aborted) return broken(error, signal, client);
      if (NOT_CONNECTED.has(code)) return { kind: 'failure', reason: 'unreachable', detail: code };
      if (attempt === 1 && !answered && CUT.has(code) && wasReused(error)) continue;
      return broken(error, signal, client);
    }
  }
}

function broken(error: unknown, signal: AbortSignal, client: AbortSignal): Failure | Gone {
  if (client.aborted) return { kind: 'gone' };
  if (signal.reason instanceof TimeOut) return { kind: 'failure', reason: 'timeout', detail: 'time-out' };
  return { kind: 'failure', reason: 'broken', detail: errorDetail(error) };
}

/** Waits for the first bytes: until they are there, another version can answer. Throws what the connection throws. */
async function openStream(
  answer: Dispatcher.ResponseData,
  controller: AbortController,
  client: AbortSignal,
  timeoutMs: number,
): Promise<UpstreamResult> {
  const body = answer.body as unknown as AsyncIterable<Buffer>;
  // Cancelled between two reads, nobody else listens.
  answer.body.on('error', () => undefined);
  const iterator = body[Symbol.asyncIterator]();
  let first: Buffer | undefined;
  const opening = await iterator.next();
  if (opening.done === true) return { kind: 'failure', reason: 'broken', detail: 'ended without an answer' };
  first = opening.value;
  let bytes = first.length;
  const stream: UpstreamStream = {
    async next() {
      if (first !== undefined) {
        const taken = first;
        first = undefined;
        return { kind: 'bytes', bytes: taken };
      }
      const timer = setTimeout(() => controller.abort(new TimeOut()), timeoutMs);
      try {
        const part = await iterator.next();
        if (part.done === true) return { kind: 'end' };
        bytes += part.value.length;
        if (bytes > MAX_ANSWER_BYTES) {
          return { kind: 'failure', reason: 'too_large', detail: `more than ${MAX_ANSWER_BYTES} bytes` };
        }
        return { kind: 'bytes', bytes: part.value };
      } catch (error) {
        return broken(error, controller.signal, client);
      } finally {
        clearTimeout(timer);
      }
    },
    cancel: () => controller.abort(),
  };
  return { kind: 'stream', status: answer.statusCode, headers: passedBack(answer.headers), stream };
}

/**
 * Whether the connection had answered something before. A server closes idle connections, and a request may just then be
 * on its way to one: that request was not served and is sent once more, on a new connection.
 */
function wasReused(error: unknown): boolean {
  const socket = (error as { socket?: { bytesRead?: number } }).socket;
  return socket === undefined || socket === null || (socket.bytesRead ?? 0) > 0;
}

async function readText(body: Dispatcher.ResponseData['body']): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // Leaving the loop destroys the body and with it the connection.
    if (bytes > MAX_ANSWER_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === 'object' && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

function passedBack(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value !== undefined && PASSED_BACK.test(name) ? [[name, Array.isArray(value) ? value.join(', ') : value]] : [],
    ),
  );
}
