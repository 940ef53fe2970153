import { assembleChunks } from './assemble-chunks.js';
import { spliceMember } from './splice-json.js';

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

/**
 * Reads the lines of a streamed chat completion as they pass, and changes nothing but the `id` of each chunk. Works on bytes,
 * so that pieces may end anywhere, in a line or in a character.
 *
 * @param id ours; null leaves the upstream's
 */
export function readChunkLines(id: string | null): ChunkLines {
  const assembled = assembleChunks();
  let waiting: Buffer[] = [];
  let saidDone = false;
  let toldError = false;
  let defect: string | undefined;

  function passOn(line: Buffer): Buffer {
    // The line's end is left where it is; JSON allows such spaces.
    if (line.length < 6 || line.toString('latin1', 0, 5) !== 'data:') return line;
    const data = line.toString('utf8', 5).trim();
    if (data === '[DONE]') {
      saidDone = true;
      return line;
    }
    try {
      const chunk: unknown = JSON.parse(data);
      if (chunk === null || typeof chunk !== 'object' || Array.isArray(chunk)) throw new Error('not an object');
      const fields = chunk as Record<string, unknown>;
      if (fields.error !== undefined && fields.error !== null) {
        toldError = true;
        defect ??= 'the upstream sent an error';
      } else assembled.add(fields);
      if (id === null || !Object.hasOwn(fields, 'id')) return line;
    } catch {
      defect ??= 'a chunk that is not a JSON object';
      return line;
    }
    // Latin-1 keeps every byte as one character; what is looked for and put in is ASCII.
    return Buffer.from(`data:${spliceMember(line.toString('latin1', 5), 'id', id)}`, 'latin1');
  }

  return {
    push(bytes) {
      const out: Buffer[] = [];
      let from = 0;
      for (let i = 0; i < bytes.length; i++) {
        if (bytes[i] !== LF && bytes[i] !== CR) continue;
        const piece = bytes.subarray(from, i + 1);
        out.push(passOn(waiting.length === 0 ? piece : Buffer.concat([...waiting, piece])));
        waiting = [];
        from = i + 1;
      }
      if (from < bytes.length) waiting.push(bytes.subarray(from));
      return Buffer.concat(out);
    },
    rest() {
      const line = passOn(Buffer.concat(waiting));
      waiting = [];
      return line;
    },
    done: () => saidDone || assembled.finished(),
    toldError: () => toldError,
    defect: () => defect ?? (saidDone && assembled.completion() === null ? 'no choices' : undefined),
    response() {
      const completion = assembled.completion();
      return completion === null
        ? null
        : { ...completion, id: id ?? completion.id, upstream_id: completion.id ?? null };
    },
  };
}
