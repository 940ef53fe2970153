import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { UnderstudyError } from '../errors.js';
import { createUnzstd } from './unzstd.js';

const GZIP = Buffer.from([0x1f, 0x8b]);
const ZSTD = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

/** The bytes of a file, unpacked. */
export interface Input {
  chunks: AsyncGenerator<Buffer, void>;
  /** What the bytes of the file begin with, before unpacking; at least 16 of them, if there are so many. */
  magic: Buffer;
}

/**
 * Opens a file, or standard input for `-`; what begins with the bytes of gzip or zstd is unpacked, whatever its name.
 * `onBytes` is told the bytes read, before unpacking. Throws `invalid_option` when the file cannot be read or is damaged
 * or cut off, after the bytes before the damage.
 */
export async function openInput(file: string, onBytes: (bytes: number) => void): Promise<Input> {
  const source: Readable = file === '-' ? process.stdin : createReadStream(file, { highWaterMark: 1 << 18 });
  const read = countBytes(source, onBytes);
  const magic = await orUnreadable(file, () => firstBytes(read));
  const whole = Readable.from(joined(magic, read), { objectMode: false });
  // The error reaches who reads: the callback only keeps it from being thrown a second time.
  const unpacked: Readable = magic.subarray(0, 2).equals(GZIP)
    ? pipeline(whole, createGunzip({ chunkSize: 1 << 16 }), () => undefined)
    : magic.subarray(0, 4).equals(ZSTD)
      ? pipeline(whole, await createUnzstd(), () => undefined)
      : whole;
  return { chunks: named(file, unpacked), magic };
}

/** Bytes of a file; throws `invalid_option` when there is none. */
export async function statOf(file: string): Promise<{ size: number; mtimeMs: number }> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    throw unreadable(file, error.code);
  });
  if (found.isDirectory()) throw unreadable(file, 'EISDIR');
  return found;
}

/** The error for a file of the command line that cannot be read, with the code the system gave. */
export function unreadable(file: string, code: string | undefined): UnderstudyError {
  return new UnderstudyError('invalid_option', { option: 'FILE', detail: `${file} cannot be read (${code})` });
}

async function* named(file: string, stream: Readable): AsyncGenerator<Buffer, void> {
  const chunks = (stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await orUnreadable(file, () => chunks.next());
      if (next.done) return;
      yield next.value;
    }
  } finally {
    stream.destroy();
  }
}

async function orUnreadable<T>(file: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw unreadable(file, String((error as NodeJS.ErrnoException).code ?? (error as Error).name));
  }
}

/** A pipe may give a single byte first. */
async function firstBytes(chunks: AsyncGenerator<Buffer, void>): Promise<Buffer> {
  let bytes: Buffer = Buffer.alloc(0);
  while (bytes.length < 16) {
    const next = await chunks.next();
    if (next.done) break;
    bytes = Buffer.concat([bytes, next.value]);
  }
  return bytes;
}

async function* countBytes(source: Readable, onBytes: (bytes: number) => void): AsyncGenerator<Buffer, void> {
  for await (const chunk of source as AsyncIterable<Buffer>) {
    onBytes(chunk.length);
    yield chunk;
  }
}

async function* joined(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  if (first.length > 0) yield first;
  yield* rest;
}
