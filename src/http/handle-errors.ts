import { maxHeaderSize, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { errorDetail, UnderstudyError } from '../errors.js';
import { toOpenAiError } from '../gateway/index.js';
import type { RouteDefinition } from './define-route.js';
import { sendOtlpError } from './otlp/send-otlp.js';

const MOST_DISCARDED = 64 * 1_024 * 1_024;

/** Every error leaves through here: one table, two shapes (ours, and OpenAI's on the gateway), nothing quoted. */
export function handleErrors(app: FastifyInstance, definitions: readonly RouteDefinition[]): void {
  app.setErrorHandler((thrown, request, reply) => {
    const { bodyLimit, url, config } = request.routeOptions;
    const otlp = config.otlp === true;
    const error = explain(thrown, { id: request.id, bodyLimit, route: url, log: request.log, otlp });
    // The connection lives on: closed with unread bytes in it, it would take the answer away from who still sends.
    if (error.code === 'payload_too_large') discardRest(request, reply);
    if (otlp) return sendOtlpError(error, request, reply);
    return send(error, request.routeOptions.config.openAi === true, reply);
  });

  const answerNotFound = (request: FastifyRequest, reply: FastifyReply) => {
    const path = request.url.split('?')[0] ?? '/';
    const there = definitions.filter((definition) => matches(definition.path, path));
    const openAi =
      there.length > 0
        ? there.some((definition) => definition.openAi)
        : /^\/v1\/(chat|completions|embeddings|models)(\/|$)/.test(path);
    if (there.length === 0) return send(new UnderstudyError('not_found', { what: 'This address' }), openAi, reply);
    const allowed = [...new Set(there.map(({ method }) => method))].join(', ');
    reply.header('allow', allowed);
    const pattern = there[0]?.path;
    return send(
      new UnderstudyError('method_not_allowed', { path: pattern, method: request.method, allowed }),
      openAi,
      reply,
    );
  };
  app.setNotFoundHandler(answerNotFound);
  // Before the body is read: nobody wants it.
  app.addHook('onRequest', (request, reply, done) => {
    if (!request.is404) return done();
    answerNotFound(request, reply);
  });
}

/** Reads what a client still sends and keeps nothing of it, up to a limit; the time-out for arrival holds, too. */
function discardRest(request: FastifyRequest, reply: FastifyReply): void {
  reply.removeHeader('connection');
  let bytes = 0;
  request.raw.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MOST_DISCARDED) request.raw.destroy();
  });
  request.raw.resume();
}

/** Errors from before routing, such as an address that cannot be decoded. */
export function answerFrameworkError(_thrown: Error, _request: FastifyRequest, reply: FastifyReply): void {
  send(new UnderstudyError('invalid_request', { detail: 'the address cannot be read' }), false, reply);
}

/** Errors of the connection: what came is no HTTP, too large in its headers, or too slow. There is no request to answer. */
export function answerBrokenConnection(thrown: NodeJS.ErrnoException, socket: Socket): void {
  const answering = (socket as { _httpMessage?: { headersSent: boolean } })._httpMessage;
  if (thrown.code !== 'ECONNRESET' && socket.writable && answering?.headersSent !== true) {
    const error = ofConnection(thrown.code);
    const body = JSON.stringify(error.toBody());
    const head = [
      `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`,
      'content-type: application/json; charset=utf-8',
      `content-length: ${Buffer.byteLength(body)}`,
      'connection: close',
    ];
    socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  }
  socket.destroySoon();
}

function ofConnection(code: string | undefined): UnderstudyError {
  if (code === 'HPE_HEADER_OVERFLOW') return new UnderstudyError('headers_too_large', { limit: maxHeaderSize });
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new UnderstudyError('request_timeout');
  return new UnderstudyError('invalid_request', { detail: 'it is not HTTP' });
}

function send(error: UnderstudyError, openAi: boolean, reply: FastifyReply): FastifyReply {
  return reply
    .code(error.status)
    .headers(headersOfError(error))
    .type('application/json; charset=utf-8')
    .send(openAi ? toOpenAiError(error) : error.toBody());
}

/** Headers of the answer, besides its type. */
export function headersOfError(error: UnderstudyError): Record<string, string> {
  return error.code === 'overloaded' ? { 'retry-after': '1' } : {};
}

/** What an error has to say about the request it is of. */
interface Failing {
  id: string;
  bodyLimit?: number | undefined;
  route: string | undefined;
  log: Pick<FastifyBaseLogger, 'error' | 'warn'>;
  /** It speaks OTLP. */
  otlp?: boolean;
}

/** The error of the table that the client is told of; our own failures are logged. */
export function explain(thrown: unknown, request: Failing): UnderstudyError {
  const error = translate(thrown, request);
  if (error.status >= 500) {
    const level = error.code === 'internal' ? 'error' : 'warn';
    request.log[level]({ err: thrown, code: error.code, route: request.route }, 'a request failed');
  }
  return error;
}

/** Errors of fastify, drivers and programming as errors of the table. */
function translate(thrown: unknown, request: Failing): UnderstudyError {
  if (thrown instanceof UnderstudyError) return thrown;
  const { code = '', statusCode = 500 } = thrown as { code?: string; statusCode?: number };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new UnderstudyError('payload_too_large', { limit: request.bodyLimit });
  }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new UnderstudyError(request.otlp === true ? 'unsupported_otlp' : 'unsupported_media_type');
  }
  if (statusCode >= 400 && statusCode < 500) return new UnderstudyError('invalid_request', { detail: describe(code) });
  if (isUnreachable(thrown)) return new UnderstudyError('database_unreachable', { detail: errorDetail(thrown) });
  return new UnderstudyError('internal', { request: request.id }, { cause: thrown });
}

function describe(code: string): string {
  if (code === 'FST_ERR_CTP_INVALID_CONTENT_LENGTH') return 'the body is not as long as Content-Length says';
  return 'the body is not JSON';
}

const AWAY = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOTFOUND',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  // too many connections, shutdown, crash, not yet started
  '53300',
  '57P01',
  '57P02',
  '57P03',
  // the typed client: cannot reach, connection closed
  'P1001',
  'P1002',
  'P1017',
]);

/** Postgres cannot be talked to, in the words of the driver, of its pool, or of the typed client. */
function isUnreachable(error: unknown): boolean {
  for (let cause: unknown = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    const code = (cause as NodeJS.ErrnoException).code ?? '';
    if (AWAY.has(code) || code.startsWith('08')) return true;
    if (
      /connection terminated|timeout exceeded when trying to connect|client has encountered a connection error/i.test(
        cause.message,
      )
    ) {
      return true;
    }
  }
  return false;
}

function matches(pattern: string, path: string): boolean {
  const source = pattern.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/:\w+/g, '[^/]+');
  return new RegExp(`^${source}$`).test(path);
}
