import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtifactDraft, StoredArtifact } from './artifact-store.js';
import type { FileFacts } from './files-digest.js';
import { assertFileName } from './reference.js';

/** Lines are small and many: they are gathered to this many bytes before they are written. */
const BUFFER_BYTES = 256 * 1024;

interface OpenFile {
  handle: FileHandle;
  hash: Hash;
  bytes: number;
  waiting: Uint8Array[];
  waitingBytes: number;
}

/** A set of files growing in a folder of its own; hashed while it is written. Not for concurrent appends. */
export class LocalDraft implements ArtifactDraft {
  readonly #files = new Map<string, OpenFile>();
  readonly #folder: string;
  readonly #adopt: (files: FileFacts[], asFile: boolean) => Promise<StoredArtifact>;
  #over = false;

  constructor(folder: string, adopt: (files: FileFacts[], asFile: boolean) => Promise<StoredArtifact>) {
    this.#folder = folder;
    this.#adopt = adopt;
  }

  async append(name: string, piece: string | Uint8Array): Promise<void> {
    if (this.#over) throw new Error('the draft has already ended');
    const file = this.#files.get(name) ?? (await this.#create(name));
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
    file.hash.update(bytes);
    file.bytes += bytes.length;
    file.waiting.push(bytes);
    file.waitingBytes += bytes.length;
    if (file.waitingBytes >= BUFFER_BYTES) await flush(file);
  }

  async commit(asFile = false): Promise<StoredArtifact> {
    if (this.#over) throw new Error('the draft has already ended');
    const files: FileFacts[] = [];
    for (const [name, file] of this.#files) {
      await flush(file);
      await file.handle.sync();
      await file.handle.close();
      files.push({ name, sha256: file.hash.digest('hex'), bytes: file.bytes });
    }
    this.#files.clear();
    try {
      return await this.#adopt(files, asFile);
    } finally {
      await this.discard();
    }
  }

  async discard(): Promise<void> {
    this.#over = true;
    for (const { handle } of this.#files.values()) await handle.close();
    this.#files.clear();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #create(name: string): Promise<OpenFile> {
    assertFileName(name);
    const handle = await open(join(this.#folder, name), 'wx');
    const file = { handle, hash: createHash('sha256'), bytes: 0, waiting: [], waitingBytes: 0 };
    this.#files.set(name, file);
    return file;
  }
}

async function flush(file: OpenFile): Promise<void> {
  if (file.waitingBytes === 0) return;
  const bytes = Buffer.concat(file.waiting);
  file.waiting = [];
  file.waitingBytes = 0;
  // `write` may write less than it was given; `writeFile` on an open handle goes on from where it is until all is written.
  await file.handle.writeFile(bytes);
}
