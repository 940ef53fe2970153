import type { FastifyInstance } from 'fastify';
import { UnderstudyError } from '../errors.js';

/** JSON.parse takes seconds for a million levels; no body that means something has a thousand. */
const MOST_LEVELS = 1_000;
/** It takes a tenth of a second for an object of 100,000 members; a batch has as many in all, but no object of it. */
const MOST_MEMBERS = 20_000;
/** Shorter bodies are parsed at once, however deep they are; they have no room for so many members. */
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
  const excess = body.length <= SHORT_BYTES ? null : excessOf(body);
  if (excess === null) return null;
  return invalid(
    excess === 'levels'
      ? `the body is nested deeper than ${MOST_LEVELS} levels`
      : `an object of the body has more than ${MOST_MEMBERS} members`,
  );
}

function invalid(detail: string): UnderstudyError {
  return new UnderstudyError('invalid_request', { detail });
}

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];
/** In place of a count: a list may be as long as it likes. */
const LIST = Number.NEGATIVE_INFINITY;

/** What there is too much of: lists and objects in each other, or members of one object; of what is not JSON, some answer. */
function excessOf(json: Buffer): 'levels' | 'members' | null {
  /** Of each object that is open here, how many members came before the one at hand. */
  const open: number[] = [];
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === QUOTE) at = endOfString(json, at);
    else if (byte === COMMA && open.length > 0) {
      const before = open.pop()! + 1;
      if (before >= MOST_MEMBERS) return 'members';
      open.push(before);
    } else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      open.push(byte === OPEN_OBJECT ? 0 : LIST);
      if (open.length > MOST_LEVELS) return 'levels';
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) open.pop();
  }
  return null;
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
