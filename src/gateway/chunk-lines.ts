import { assembleChunks, isFields } from './assemble-chunks.js';
import { memberSpans, spliceMember } from './splice-json.js';

/** What a stream of server-sent events said so far. */
export interface ChunkLines {
  /** The bytes to pass on for these; an unfinished line waits for its end. */
  push(bytes: Buffer): Buffer;
  /** The last line, where it had no end. */
  rest(): Buffer;
  /** Whether the upstream said that it is done, by `[DONE]` or by a finish reason for every choice. */
  done(): boolean;
  /** Whether the upstream told the client of an error of its own. */
  toldError(): boolean;
  /** Why what was read is not a whole answer although it is done; undefined when it is one. Safe to log. */
  defect(): string | undefined;
  /** The chat completion so far, with our id and the upstream's; null before the first choice. */
  response(): Record<string, unknown> | null;
}

const LF = 0x0a;
const CR = 0x0d;
const DATA = Buffer.from('data:');
const DONE = '[DONE]';
/** So much waits to be parsed at most: parsing many chunks in one go costs less, but what waits takes memory. */
const PARSED_AT_BYTES = 16 * 1_024;

/** What stands before the rest of every chunk, up to and with its id, and what the client gets in its place. */
interface Start {
  theirs: Buffer;
  ours: Buffer;
}

/**
 * Reads the lines of a streamed chat completion as they pass, and changes nothing but the `id` of each chunk. Works on bytes,
 * so that pieces may end anywhere, in a line or in a character.
 *
 * The chunks of a stream begin alike, with the id near the front. Once that start is known, a line that has it is passed on
 * without being looked at, and parsed together with others later: nobody waits for that.
 *
 * @param id ours; null leaves the upstream's
 */
export function readChunkLines(id: string | null): ChunkLines {
  const assembled = assembleChunks();
  /** An unfinished line. */
  let waiting: Buffer[] = [];
  /** Passed on, and still to be parsed. */
  let unread: Buffer[] = [];
  let unreadBytes = 0;
  let start: Start | undefined;
  let saidDone = false;
  let toldError = false;
  let defect: string | undefined;

  /** Takes one chunk in; false when it is none. */
  function take(chunk: unknown): boolean {
    if (!isFields(chunk)) {
      defect ??= 'a chunk that is not a JSON object';
      return false;
    }
    if (chunk.error !== undefined && chunk.error !== null) {
      toldError = true;
      defect ??= 'the upstream sent an error';
    } else assembled.add(chunk);
    return true;
  }

  function read(): void {
    if (unread.length === 0) return;
    const texts = unread.map((line) => line.toString('utf8', DATA.length));
    unread = [];
    unreadBytes = 0;
    for (const chunk of parseAll(texts)) take(chunk);
  }

  /** The parts of what the client gets for a line, which has its end with it. */
  function passOn(line: Buffer, out: Buffer[]): void {
    if (start !== undefined && begins(line, start.theirs)) {
      unread.push(line);
      unreadBytes += line.length;
      if (unreadBytes >= PARSED_AT_BYTES) read();
      out.push(start.ours, line.subarray(start.theirs.length));
      return;
    }
    out.push(line.length > DATA.length && begins(line, DATA) ? passOnData(line) : line);
  }

  function passOnData(line: Buffer): Buffer {
    // The line's end is left where it is; JSON allows such spaces.
    const data = line.toString('utf8', DATA.length).trim();
    if (data === DONE) {
      saidDone = true;
      return line;
    }
    // In order.
    read();
    const [chunk] = parseAll([data]);
    if (!take(chunk) || id === null || !Object.hasOwn(chunk as object, 'id')) return line;
    const text = line.toString('latin1', DATA.length);
    start = startOf(text, id);
    if (start !== undefined) return Buffer.concat([start.ours, line.subarray(start.theirs.length)]);
    return Buffer.from(`data:${spliceMember(text, 'id', id)}`, 'latin1');
  }

  return {
    push(bytes) {
      const out: Buffer[] = [];
      const oldEnds = bytes.includes(CR);
      let from = 0;
      for (let end = endOfLine(bytes, from, oldEnds); end !== 0; end = endOfLine(bytes, from, oldEnds)) {
        const piece = bytes.subarray(from, end);
        passOn(waiting.length === 0 ? piece : Buffer.concat([...waiting, piece]), out);
        waiting = [];
        from = end;
      }
      if (from < bytes.length) waiting.push(bytes.subarray(from));
      return out.length === 1 ? out[0]! : Buffer.concat(out);
    },
    rest() {
      const out: Buffer[] = [];
      passOn(Buffer.concat(waiting), out);
      waiting = [];
      return Buffer.concat(out);
    },
    done() {
      if (saidDone) return true;
      read();
      return assembled.finished();
    },
    toldError() {
      read();
      return toldError;
    },
    defect() {
      read();
      return defect ?? (saidDone && assembled.completion() === null ? 'no choices' : undefined);
    },
    response() {
      read();
      const completion = assembled.completion();
      return completion === null
        ? null
        : { ...completion, id: id ?? completion.id, upstream_id: completion.id ?? null };
    },
  };
}

/** Behind the end of the line that begins at `from`; 0 when its end has not come. */
function endOfLine(bytes: Buffer, from: number, oldEnds: boolean): number {
  if (!oldEnds) return bytes.indexOf(LF, from) + 1;
  for (let at = from; at < bytes.length; at++) if (bytes[at] === LF || bytes[at] === CR) return at + 1;
  return 0;
}

function begins(line: Buffer, start: Buffer): boolean {
  return line.length >= start.length && line.compare(start, 0, start.length, 0, start.length) === 0;
}

/** Everything up to and with the id, where there is one id and it is a string; undefined otherwise. */
function startOf(text: string, id: string): Start | undefined {
  const [span, ...others] = memberSpans(text, 'id');
  if (span === undefined || others.length > 0 || text[span[0]] !== '"') return undefined;
  // Latin-1 keeps every byte as one character; what is looked for and put in is ASCII.
  const bytes = (end: string) => Buffer.from(`data:${end}`, 'latin1');
  return { theirs: bytes(text.slice(0, span[1])), ours: bytes(text.slice(0, span[0]) + JSON.stringify(id)) };
}

/** Each text as JSON; `undefined` for one that is none. */
function parseAll(texts: readonly string[]): unknown[] {
  try {
    const chunks: unknown = JSON.parse(`[${texts.join(',')}]`);
    // One text could have held two values, and its neighbour none.
    if (Array.isArray(chunks) && chunks.length === texts.length) return chunks;
  } catch {}
  return texts.map(parse);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
