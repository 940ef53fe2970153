import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { type Authenticator, maySee, type Principal } from '../access/index.js';
import { type Endpoint, type Gateway, Leaving, type ModelAnswer, toOpenAiError } from '../gateway/index.js';
import { newId } from '../interactions/index.js';
import { explain, headersOfError } from './handle-errors.js';
import { SHORT_BYTES } from './json-body.js';
import { BODY_LIMIT } from './routes/gateway-routes.js';

export interface LaneParts {
  authenticator: Authenticator;
  gateway: Gateway;
  logger: Logger;
  /** Since the server began to close. */
  closing: () => boolean;
}

const ENDPOINTS = new Map<string | undefined, Endpoint>([
  ['/v1/chat/completions', 'chat/completions'],
  ['/v1/completions', 'completions'],
  ['/v1/embeddings', 'embeddings'],
]);

/**
 * The ordinary request of an OpenAI client, past the framework: it costs as much as all the gateway's own work. Whatever is
 * not ordinary (another method or type, no length or too much of it, a key that has to be looked up, has a budget or may not, a
 * server that closes) is left to the framework before anything of the body is read, so that refusals come from one place.
 */
export function openDirectLane(server: Server, parts: LaneParts): void {
  const framework = server.listeners('request') as RequestListener[];
  server.removeAllListeners('request');
  server.on('request', (request, response) => {
    const endpoint = request.method === 'POST' ? ENDPOINTS.get(request.url) : undefined;
    const principal = endpoint === undefined || !isOrdinary(request) ? undefined : admitted(request, parts);
    if (endpoint !== undefined && principal !== undefined) return serve(endpoint, principal, request, response, parts);
    for (const listener of framework) listener.call(server, request, response);
  });
}

function isOrdinary({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  if (length === undefined || headers['transfer-encoding'] !== undefined) return false;
  const type = headers['content-type'];
  if (type !== 'application/json' && type?.startsWith('application/json;') !== true) return false;
  const bytes = Number(length);
  return bytes > 0 && bytes <= SHORT_BYTES;
}

function admitted({ headers }: IncomingMessage, { authenticator, closing }: LaneParts): Principal | undefined {
  if (closing()) return undefined;
  const principal = authenticator.recall(headers.authorization);
  // Budgets are looked after by the framework.
  return principal?.budget === null && principal.scopes.has('serve') ? principal : undefined;
}

function serve(
  endpoint: Endpoint,
  principal: Principal,
  request: IncomingMessage,
  response: ServerResponse,
  parts: LaneParts,
): void {
  const chunks: Buffer[] = [];
  const client = new Leaving();
  const startedAt = performance.now();
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    parts.gateway
      .answer({
        endpoint,
        body: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks),
        caller: principal.keyId,
        headers: request.headers,
        maySee: (model) => maySee(principal, model),
        client,
      })
      .then(
        (answer) => send(response, answer, parts),
        (thrown: unknown) => send(response, refusal(thrown, endpoint, parts), parts),
      );
  });
  response.on('close', () => {
    if (!response.writableFinished) client.leave();
    // A stream that began before the shutdown could not say that its connection closes.
    if (parts.closing()) request.socket.end();
    if (!parts.logger.isLevelEnabled('debug')) return;
    const ms = Math.round(performance.now() - startedAt);
    parts.logger.debug({ method: 'POST', route: `/v1/${endpoint}`, status: response.statusCode, ms }, 'answered');
  });
}

function send(response: ServerResponse, { status, headers, body }: ModelAnswer, { closing }: LaneParts): void {
  const list: string[] = [];
  for (const name in headers) list.push(name, headers[name]!);
  if (closing()) list.push('connection', 'close');
  if (typeof body === 'string') {
    const bytes = Buffer.byteLength(body);
    list.push('content-length', String(bytes));
    response.writeHead(status, list);
    // ASCII: head and body then are one string that is copied and not encoded.
    response.end(body, bytes === body.length ? 'latin1' : 'utf8');
    return;
  }
  response.writeHead(status, list);
  // A client that left between two parts: its 'close' ends the stream.
  response.on('error', () => undefined);
  response.on('drain', () => body.resume());
  body.start({
    write: (bytes) => response.write(bytes),
    end: () => response.end(),
    destroy: () => response.destroy(),
  });
}

function refusal(thrown: unknown, endpoint: Endpoint, { logger }: LaneParts): ModelAnswer {
  const id = newId();
  const log = logger.child({ request_id: id });
  const error = explain(thrown, { id, bodyLimit: BODY_LIMIT, route: `/v1/${endpoint}`, log });
  return {
    status: error.status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headersOfError(error) },
    body: JSON.stringify(toOpenAiError(error)),
  };
}
