import { createReadStream } from 'node:fs';
import { pipeline, Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { createGunzip } from 'node:zlib';
import { UnderstudyError } from '../errors.js';

const GZIP = Buffer.from([0x1f, 0x8b]);

/**
 * The lines of a file, or of standard input for `-`, without their line feed; what begins with the two bytes of gzip is
 * unpacked, whatever its name. `onBytes` is told the bytes read, before unpacking. Throws `invalid_option` when the file
 * cannot be read or its gzip is damaged or cut off, after the lines before the damage.
 */
export async function* readLines(file: string, onBytes: (bytes: number) => void): AsyncGenerator<string> {
  const source: Readable = file === '-' ? process.stdin : createReadStream(file);
  const chunks = countBytes(source, onBytes);
  const opened = await orUnreadable(file, () => firstBytes(chunks));
  const whole = Readable.from(joined(opened, chunks), { objectMode: false });
  const packed = opened.subarray(0, GZIP.length).equals(GZIP);
  // The error reaches who reads: the callback only keeps it from being thrown a second time.
  const input: Readable = packed ? pipeline(whole, createGunzip(), () => undefined) : whole;
  const reader = splitLines(input);
  for (;;) {
    const next = await orUnreadable(file, () => reader.next());
    if (next.done) return;
    yield next.value;
  }
}

/**
 * Splits at line feeds only: readline also splits at U+2028 and U+2029, which JSON allows inside a string, and throws
 * errors of its input where nobody can catch them.
 */
async function* splitLines(input: Readable): AsyncGenerator<string, undefined> {
  const decoder = new StringDecoder('utf8');
  // Pieces of one line are joined once, else a line of many megabytes costs the square of its length.
  let pieces: string[] = [];
  for await (const chunk of input as AsyncIterable<Buffer>) {
    const [head = '', ...rest] = decoder.write(chunk).split('\n');
    pieces.push(head);
    for (const piece of rest) {
      yield pieces.join('');
      pieces = [piece];
    }
  }
  const last = pieces.join('') + decoder.end();
  if (last !== '') yield last;
  return undefined;
}

async function orUnreadable<T>(file: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw unreadable(file, (error as NodeJS.ErrnoException).code);
  }
}

/** At least as many bytes as tell gzip, if there are so many: a pipe may give a single byte first. */
async function firstBytes(chunks: AsyncGenerator<Buffer, undefined>): Promise<Buffer> {
  let bytes: Buffer = Buffer.alloc(0);
  while (bytes.length < GZIP.length) {
    const next = await chunks.next();
    if (next.done) break;
    bytes = Buffer.concat([bytes, next.value]);
  }
  return bytes;
}

async function* countBytes(source: Readable, onBytes: (bytes: number) => void): AsyncGenerator<Buffer, undefined> {
  for await (const chunk of source as AsyncIterable<Buffer>) {
    onBytes(chunk.length);
    yield chunk;
  }
  return undefined;
}

async function* joined(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  if (first.length > 0) yield first;
  yield* rest;
}

/** The error for a file of the command line that cannot be read, with the code the system gave. */
export function unreadable(file: string, code: string | undefined): UnderstudyError {
  return new UnderstudyError('invalid_option', { option: 'FILE', detail: `${file} cannot be read (${code})` });
}
