import { type FileHandle, open } from 'node:fs/promises';
import { UnderstudyError } from '../errors.js';

/** A line that was refused, and why; without its text. */
export interface Reject {
  line: number;
  reason: string;
}

/** The file of refused lines, one JSON object each. */
export interface Rejects {
  /** Null as long as nothing was written. */
  readonly file: string | null;
  write(rejects: readonly Reject[]): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the file that the caller named at once, throwing `invalid_option` when it cannot be written; the one beside the
 * imported file only when a line is refused, and where it cannot be written there is none.
 *
 * @param append an interrupted import goes on: keep what it wrote
 */
export async function openRejects(
  named: string | undefined,
  beside: string | undefined,
  append: boolean,
): Promise<Rejects> {
  const flags = append ? 'a' : 'w';
  let handle: FileHandle | undefined;
  let written = false;
  if (named !== undefined) {
    handle = await open(named, flags).catch((error: NodeJS.ErrnoException) => {
      const detail = `${named} cannot be written (${error.code})`;
      throw new UnderstudyError('invalid_option', { option: '--rejects', detail });
    });
  }
  let target = named ?? beside;
  return {
    get file() {
      return written && target !== undefined ? target : null;
    },
    async write(rejects) {
      if (rejects.length === 0 || target === undefined) return;
      handle ??= await open(target, flags).catch(() => undefined);
      if (handle === undefined) target = undefined;
      else {
        await handle.appendFile(rejects.map((reject) => `${JSON.stringify(reject)}\n`).join(''));
        written = true;
      }
    },
    async close() {
      await handle?.close();
    },
  };
}
