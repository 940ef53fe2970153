import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { errorDetail } from '../errors.js';
import type { ClientSignal } from './client-signal.js';
import type { Target } from './directory.js';
import { Exchange, type Outcome, type Part } from './exchange.js';
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

export type StreamPart = { kind: 'bytes'; bytes: Buffer } | { kind: 'end' } | Failure | Gone;

export interface UpstreamStream {
  /**
   * Gives what comes next, at once where it is there; waits for it no longer than the target's time-out. Not called again
   * before it came, nor after anything but bytes.
   */
  next(take: (part: StreamPart) => void): void;
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
  client: ClientSignal;
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

/** What has to be known of a call from outside while it is under way. */
interface Progress {
  exchange: Exchange | undefined;
  /** Why it is to end, whatever the upstream says. */
  ended: Failure | Gone | undefined;
}

const TIMED_OUT: Failure = { kind: 'failure', reason: 'timeout', detail: 'time-out' };
const CLIENT_GONE: Gone = { kind: 'gone' };
const TOO_LARGE: Failure = { kind: 'failure', reason: 'too_large', detail: `more than ${MAX_ANSWER_BYTES} bytes` };

/**
 * Asks one replica of a version, until the deadline: for the whole answer or, when it streams, for its first byte, and for
 * the target's time-out again at every wait between bytes after that. Only `model` is replaced in the body. Never throws.
 */
export async function callUpstream(call: UpstreamCall): Promise<UpstreamResult> {
  const { target, deadline, client } = call;
  const progress: Progress = { exchange: undefined, ended: undefined };
  const timer = setTimeout(stop, Math.max(0, deadline - performance.now()), progress, TIMED_OUT);
  const leave = () => stop(progress, CLIENT_GONE);
  client.addEventListener('abort', leave, { once: true });
  if (client.aborted) leave();
  let streams = false;
  try {
    const result = await send(call, target.apiKey(), spliceMember(call.text, 'model', target.model), progress);
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

function stop(progress: Progress, why: Failure | Gone): void {
  progress.ended ??= why;
  progress.exchange?.abort();
}

interface Address {
  origin: string;
  path: string;
}

const addresses = new Map<string, Address>();
/** More than there are upstreams; policies change. */
const KEPT_ADDRESSES = 1_000;

/** An address in the parts that undici wants, taken apart once. */
function addressOf(url: string): Address {
  let known = addresses.get(url);
  if (known === undefined) {
    const { origin, pathname, search } = new URL(url);
    known = { origin, path: `${pathname}${search}` };
    if (addresses.size >= KEPT_ADDRESSES) addresses.clear();
    addresses.set(url, known);
  }
  return known;
}

function headersOf({ headers, stream }: UpstreamCall, apiKey: string | undefined): string[] {
  const list = ['content-type', 'application/json', 'accept'];
  list.push(stream ? 'text/event-stream, application/json' : 'application/json');
  if (apiKey !== undefined) list.push('authorization', `Bearer ${apiKey}`);
  for (const name in headers) list.push(name, headers[name]!);
  return list;
}

const isEventStream = (status: number, headers: IncomingHttpHeaders) =>
  status < 300 && /^text\/event-stream\b/i.test(String(headers['content-type']));
const never = () => false;

async function send(
  call: UpstreamCall,
  apiKey: string | undefined,
  body: string,
  progress: Progress,
): Promise<UpstreamResult> {
  const { dispatcher, target, stream, client } = call;
  const { origin, path } = addressOf(call.url);
  const options = { origin, path, method: 'POST' as const, headers: headersOf(call, apiKey), body };
  for (let attempt = 1; ; attempt++) {
    if (progress.ended !== undefined) return progress.ended;
    const exchange = new Exchange(MAX_ANSWER_BYTES, stream ? isEventStream : never);
    progress.exchange = exchange;
    const outcome = await exchange.send(dispatcher, options);
    if (outcome.kind === 'whole') return progress.ended ?? answerOf(outcome);
    if (outcome.kind === 'stream') {
      const { status, headers: answered } = outcome;
      const parts = streamOf(exchange, progress, target.timeoutMs);
      return progress.ended ?? { kind: 'stream', status, headers: passedBack(answered), stream: parts };
    }
    if (outcome.kind === 'too_large') return TOO_LARGE;
    if (outcome.kind === 'aborted') return progress.ended ?? CLIENT_GONE;
    const code = (outcome.error as NodeJS.ErrnoException).code ?? '';
    if (NOT_CONNECTED.has(code)) return { kind: 'failure', reason: 'unreachable', detail: code };
    const again = attempt === 1 && !outcome.answered && CUT.has(code) && wasReused(outcome.error) && !client.aborted;
    if (!again) return broken(outcome.error);
  }
}

function answerOf({ status, headers, bytes }: Extract<Outcome, { kind: 'whole' }>): UpstreamResult {
  const text = bytes.toString('utf8');
  const json = parseObject(text);
  const redirected = status >= 300 && status < 400;
  if (redirected || (json === null && status < 400)) {
    return { kind: 'failure', reason: 'nonsense', detail: `status ${status} without an answer` };
  }
  return { kind: 'answer', status, headers: passedBack(headers), text, json };
}

function streamOf(exchange: Exchange, progress: Progress, timeoutMs: number): UpstreamStream {
  let waiting: ((part: StreamPart) => void) | undefined;
  // One for the whole stream, wound up again at every wait: a stream has many parts.
  const timer = setTimeout(() => {
    if (waiting !== undefined) stop(progress, TIMED_OUT);
  }, timeoutMs);
  const ended = (part: Exclude<Part, { kind: 'bytes' }>): StreamPart => {
    clearTimeout(timer);
    if (part.kind === 'end') return part;
    if (progress.ended !== undefined) return progress.ended;
    if (part.kind === 'error') return broken(part.error);
    return part.kind === 'too_large' ? TOO_LARGE : CLIENT_GONE;
  };
  const came = (part: Part) => {
    const take = waiting;
    waiting = undefined;
    take?.(part.kind === 'bytes' ? part : ended(part));
  };
  return {
    next(take) {
      waiting = take;
      timer.refresh();
      exchange.next(came);
    },
    cancel() {
      clearTimeout(timer);
      exchange.abort();
    },
  };
}

function broken(error: unknown): Failure {
  return { kind: 'failure', reason: 'broken', detail: errorDetail(error) };
}

/**
 * Whether the connection had answered something before. A server closes idle connections, and a request may just then be
 * on its way to one: that request was not served and is sent once more, on a new connection.
 */
function wasReused(error: unknown): boolean {
  const socket = (error as { socket?: { bytesRead?: number } }).socket;
  return socket === undefined || socket === null || (socket.bytesRead ?? 0) > 0;
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

function passedBack(headers: IncomingHttpHeaders): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined && PASSED_BACK.test(name)) passed[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return passed;
}
