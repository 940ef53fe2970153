import type { FastifyInstance } from 'fastify';
import { UnderstudyError } from '../errors.js';

/** JSON.parse takes seconds for a million levels; no body that means something has a thousand. */
const MOST_LEVELS = 1_000;
/** Shorter bodies are parsed at once, however deep they are. */
export const SHORT_BYTES = 65_536;

/** Bodies as buffers, as they came: for who looks at their JSON later. */
export function takeRawJson(app: FastifyInstance): void {
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    done(refusalOfJson(body as Buffer), body);
  });
}

/** Bodies parsed. Errors say where they are, never what stands there. */
export function takeJson(app: FastifyInstance): void {
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    const refused = refusalOfJson(body as Buffer);
    if (refused !== null) return done(refused);
    let parsed: unknown;
    try {
      parsed = JSON.parse(body.toString('utf8').replace(/^\ufeff/, ''));
    } catch {
      return done(invalid(body.length === 0 ? 'the body is empty' : 'the body is not JSON'));
    }
    done(null, parsed);
  });
}

/** Why a text is not to be given to JSON.parse; null when it may be. */
export function refusalOfJson(body: Buffer): UnderstudyError | null {
  if (body.length <= SHORT_BYTES || !isDeeperThan(body, MOST_LEVELS)) return null;
  return invalid(`the body is nested deeper than ${MOST_LEVELS} levels`);
}

function invalid(detail: string): UnderstudyError {
  return new UnderstudyError('invalid_request', { detail });
}

const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d];

/** Whether lists and objects stand in each other more than `most` times; of what is not JSON, some answer. */
function isDeeperThan(json: Buffer, most: number): boolean {
  let depth = 0;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === QUOTE) at = endOfString(json, at);
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      depth += 1;
      if (depth > most) return true;
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth -= 1;
  }
  return false;
}

/** The quote that ends the string which starts at `at`: the next one with an even number of backslashes before it. */
function endOfString(json: Buffer, at: number): number {
  for (let quote = json.indexOf(QUOTE, at + 1); quote !== -1; quote = json.indexOf(QUOTE, quote + 1)) {
    let first = quote;
    while (json[first - 1] === BACKSLASH) first -= 1;
    if ((quote - first) % 2 === 0) return quote;
  }
  return json.length;
}
