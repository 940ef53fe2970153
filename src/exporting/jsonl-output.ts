import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { PassThrough, type Transform, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { UnderstudyError } from '../errors.js';
import type { Output } from './output.js';
import { createZstd } from './zstd.js';

/**
 * One JSON object a line, to a file (packed when its name ends in .gz or .zst) or to standard output for `-`. A file has
 * its name only when it is whole. Throws `invalid_option` when it cannot be written.
 */
export async function openJsonl(file: string): Promise<Output> {
  const part = `${file}.part`;
  const target: Writable = file === '-' ? process.stdout : createWriteStream(part);
  if (file !== '-')
    await once(target, 'open').catch((error: NodeJS.ErrnoException) => Promise.reject(unwritable(file, error)));
  const source = new PassThrough({ highWaterMark: 1 << 20 });
  const packer = await packerOf(file);
  const stages = [source, ...(packer === undefined ? [] : [packer]), target] as const;
  let failure: unknown;
  const written = pipeline([...stages], { end: file !== '-' }).catch((error: unknown) => {
    failure = error;
  });
  const check = () => {
    if (failure !== undefined) throw unwritable(file, failure);
  };
  return {
    async write(records) {
      check();
      if (source.write(records.map((record) => `${JSON.stringify(record)}\n`).join(''))) return;
      await Promise.race([once(source, 'drain'), written]);
      check();
    },
    async finish() {
      source.end();
      await written;
      check();
      if (file !== '-') await rename(part, file);
    },
    async abandon() {
      source.destroy();
      await written;
      if (file !== '-') await rm(part, { force: true });
    },
  };
}

async function packerOf(file: string): Promise<Transform | undefined> {
  if (file.endsWith('.gz')) return createGzip();
  return file.endsWith('.zst') ? createZstd() : undefined;
}

export function unwritable(file: string, error: unknown): UnderstudyError {
  const code = (error as NodeJS.ErrnoException).code ?? 'failed';
  return new UnderstudyError('invalid_option', { option: '--out', detail: `${file} cannot be written (${code})` });
}
