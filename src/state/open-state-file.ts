import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { constants } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import type { z } from 'zod';
import { errorDetail } from '../errors.js';

/** Where a server keeps what it needs to go on after a restart while Postgres is away. */
export interface StateFolder {
  folder: string;
  /** Whose state it is; what another deployment left in the same folder is not taken. See `stateOwner`. */
  owner: string;
  /** Secret of the deployment: files are sealed with it, so that nobody without it can put words in our mouth. */
  key: string;
}

export interface StateFormat<T> {
  /** Of the content; raised when its shape changes. Another version is ignored. */
  version: number;
  /** What `read` answers; the value written must be JSON that it accepts. */
  schema: z.ZodType<T>;
}

export interface StateFile<T> {
  /**
   * What was written last, by this or another process; undefined when there is none. A file that is torn, foreign, of
   * another version or open to others is undefined too, and `onIgnored` hears why. Never throws.
   */
  read(): Promise<T | undefined>;
  /**
   * Replaces the file, whole, unless this process read or wrote the same before; on the disk when it resolves. Of writes
   * that wait for one under way only the newest is done. Throws what the disk says; the file is then what it was.
   */
  write(value: T): Promise<void>;
}

/** Larger files are not ours: ten thousand keys or a thousand models are a few megabytes. */
const MAX_BYTES = 64 * 1_024 * 1_024;
/** A temporary file older than this was left by a process that died. */
const LEFT_BEHIND_MS = 60_000;
const MAGIC = 'understudy-state';

/**
 * A small file of state, readable by its owner only: a header line with version, owner and seal, then JSON. Several
 * servers may share the folder: the last write wins, whole, so who must not lose another's entries reads before writing.
 * It must hold no secret in clear: refer to variables, store hashes.
 *
 * @param name of the file, e.g. `routes`
 * @param onIgnored hears in one sentence why a file that is there was not taken
 */
export function openStateFile<T>(
  state: StateFolder,
  name: string,
  format: StateFormat<T>,
  onIgnored: (why: string) => void = () => undefined,
): StateFile<T> {
  const file = path.join(state.folder, name);
  let present: string | undefined;
  let next: { text: string; waiting: { resolve: () => void; reject: (error: unknown) => void }[] } | undefined;
  let writing = false;

  function seal(body: string): Buffer {
    return createHmac('sha256', state.key).update([MAGIC, name, format.version, state.owner, body].join('\0')).digest();
  }

  /** The body, or why it cannot be taken. */
  function unseal(text: string): { body: string } | { why: string } {
    const end = text.indexOf('\n');
    const [magic, version, owner, hex] = text.slice(0, Math.max(0, end)).split(' ');
    if (magic !== MAGIC || hex === undefined) return { why: 'it is not a state file' };
    if (version !== String(format.version)) return { why: 'it has another version' };
    if (owner !== state.owner) return { why: 'it belongs to another deployment' };
    const body = text.slice(end + 1);
    const [given, expected] = [Buffer.from(hex, 'hex'), seal(body)];
    if (given.length !== expected.length || !timingSafeEqual(given, expected))
      return { why: 'it was not written whole, or not by this deployment' };
    return { body };
  }

  function ignore(why: string): undefined {
    onIgnored(why);
    return undefined;
  }

  async function readBody(): Promise<{ body: string } | { why: string } | undefined> {
    // A link or a pipe in its place would lead elsewhere, or hold the start up for ever.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const handle = await fs.open(file, flags).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (handle === undefined) return undefined;
    try {
      const { mode, uid, size } = await handle.stat();
      const isOurs = (mode & constants.S_IFMT) === constants.S_IFREG && (mode & 0o077) === 0;
      if (!isOurs || uid !== (process.geteuid?.() ?? uid)) return { why: 'others may read or write it' };
      if (size > MAX_BYTES) return { why: 'it is too large' };
      return unseal(await handle.readFile('utf8'));
    } finally {
      await handle.close();
    }
  }

  async function replace(text: string): Promise<void> {
    const body = `${MAGIC} ${format.version} ${state.owner} ${seal(text).toString('hex')}\n${text}`;
    await fs.mkdir(state.folder, { recursive: true, mode: 0o700 });
    const temporary = `${file}.${randomUUID()}.tmp`;
    try {
      await fs.writeFile(temporary, body, { mode: 0o600, flag: 'wx', flush: true });
      await fs.rename(temporary, file);
    } catch (error) {
      await fs.rm(temporary, { force: true });
      throw error;
    }
    await syncFolder(state.folder);
    await sweep(state.folder, name);
  }

  async function drain(): Promise<void> {
    for (let job = next; job !== undefined; job = next) {
      next = undefined;
      try {
        if (job.text !== present) await replace(job.text);
        present = job.text;
        for (const { resolve } of job.waiting) resolve();
      } catch (error) {
        for (const { reject } of job.waiting) reject(error);
      }
    }
    // Here, not when the promise settles: whoever was just told may write again before that.
    writing = false;
  }

  return {
    async read() {
      try {
        const found = await readBody();
        if (found === undefined) return undefined;
        if ('why' in found) return ignore(found.why);
        const value = format.schema.safeParse(JSON.parse(found.body));
        if (!value.success) return ignore('its content has another shape');
        present = found.body;
        return value.data;
      } catch (error) {
        return ignore(`it cannot be read (${errorDetail(error)})`);
      }
    },
    write(value) {
      const text = JSON.stringify(value);
      return new Promise((resolve, reject) => {
        next = { text, waiting: [...(next?.waiting ?? []), { resolve, reject }] };
        if (writing) return;
        writing = true;
        void drain();
      });
    },
  };
}

/** A rename is on the disk when its folder is; where a folder cannot be synced, the system does it in its own time. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await fs.open(folder).catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

/** Takes away what processes that died while writing left of this file. */
async function sweep(folder: string, name: string): Promise<void> {
  for (const entry of await fs.readdir(folder).catch(() => [])) {
    if (!entry.startsWith(`${name}.`) || !entry.endsWith('.tmp')) continue;
    const left = path.join(folder, entry);
    const stat = await fs.stat(left).catch(() => undefined);
    if (stat && Date.now() - stat.mtimeMs > LEFT_BEHIND_MS) await fs.rm(left, { force: true }).catch(() => undefined);
  }
}
