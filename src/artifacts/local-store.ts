import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, mkdir, open, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { UnderstudyError } from '../errors.js';
import type { ArtifactStore, Content, StoredArtifact } from './artifact-store.js';
import { type FileFacts, fileFacts, filesDigest } from './files-digest.js';
import { LocalDraft } from './local-draft.js';
import { artifactUri, parseReference } from './reference.js';

const DRAFTS = '.drafts';
/** A draft this old was left by a process that died. */
const STALE_DRAFT_MS = 24 * 3_600_000;

/** An artifact store in a local folder, which is made on first write: `<root>/<kind>/<digest>` is a file or a folder of files. */
export function createLocalStore(root: string): ArtifactStore {
  let swept: Promise<void> | undefined;

  async function draft(kind: string): Promise<LocalDraft> {
    artifactUri(kind, '0'.repeat(64));
    swept ??= sweepDrafts(join(root, DRAFTS));
    await swept.catch((error: unknown) => {
      swept = undefined;
      throw error;
    });
    const folder = join(root, DRAFTS, randomUUID());
    await mkdir(folder, { recursive: true });
    return new LocalDraft(folder, (files, asFile) => adopt(kind, folder, files, asFile));
  }

  /** Renames a finished draft to its place. A rename is all or nothing, so a reader never sees half of it. */
  async function adopt(kind: string, folder: string, files: FileFacts[], asFile: boolean): Promise<StoredArtifact> {
    const digest = asFile ? files[0]!.sha256 : filesDigest(files);
    const uri = artifactUri(kind, digest);
    await mkdir(join(root, kind), { recursive: true });
    const place = join(root, kind, digest);
    try {
      await rename(asFile ? join(folder, files[0]!.name) : folder, place);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
      // It was stored before. What lies there must still be what its name says.
      await store.verify(uri);
    }
    await syncFolder(join(root, kind));
    return { uri, digest, files };
  }

  async function writeAll(
    kind: string,
    files: Readonly<Record<string, Content>>,
    asFile: boolean,
  ): Promise<StoredArtifact> {
    const set = await draft(kind);
    try {
      for (const [name, content] of Object.entries(files)) {
        await set.append(name, '');
        if (typeof content === 'string' || content instanceof Uint8Array) await set.append(name, content);
        else for await (const piece of content) await set.append(name, piece);
      }
      return await set.commit(asFile);
    } finally {
      await set.discard();
    }
  }

  /** The checked path of a reference. Links are followed only to see that they stay inside. */
  async function locate(reference: string): Promise<string> {
    const path = join(root, ...parseReference(reference).segments);
    const [realRoot, realPath] = await Promise.all([realpath(root), realpath(path)]).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ENOTDIR')
          throw new UnderstudyError('artifact_missing', { uri: reference });
        throw error;
      },
    );
    if (realPath !== join(realRoot, ...parseReference(reference).segments)) {
      const inside = realPath.startsWith(realRoot + sep);
      throw new UnderstudyError('artifact_refused', {
        uri: reference,
        detail: inside ? 'it is a link' : 'it leads out of the store',
      });
    }
    return path;
  }

  const store: ArtifactStore = {
    putFile: (kind, content) => writeAll(kind, { content }, true),
    putFiles: (kind, files) => writeAll(kind, files, false),
    draft,
    localPath: locate,
    async open(reference) {
      const path = await locate(reference);
      if (!(await stat(path)).isFile())
        throw new UnderstudyError('artifact_refused', { uri: reference, detail: 'it is not a file' });
      return createReadStream(path);
    },
    async verify(uri) {
      const { digest } = wholeArtifact(uri);
      const { files, isFolder } = await listFiles(uri, await locate(uri));
      const actual = isFolder ? filesDigest(files) : files[0]!.sha256;
      if (actual !== digest)
        throw new UnderstudyError('artifact_refused', { uri, detail: `its content has digest ${actual}` });
      return { uri, digest, files };
    },
    async bytesOf(uri) {
      wholeArtifact(uri);
      const path = await locate(uri).catch(absent);
      if (path === null) return null;
      if ((await stat(path)).isFile()) return (await stat(path)).size;
      const sizes = await Promise.all((await readdir(path)).map(async (name) => (await lstat(join(path, name))).size));
      return sizes.reduce((sum, size) => sum + size, 0);
    },
    async remove(uri) {
      const { segments } = wholeArtifact(uri);
      const path = await locate(uri).catch(absent);
      if (path === null) return false;
      // Renamed first: nobody sees half of it, and what a crash leaves is swept with the drafts.
      const away = join(root, DRAFTS, randomUUID());
      await mkdir(join(root, DRAFTS), { recursive: true });
      try {
        await rename(path, away);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
        throw error;
      }
      await syncFolder(join(root, segments[0]!));
      await rm(away, { recursive: true, force: true });
      return true;
    },
  };
  return store;
}

/** Throws `artifact_refused` for a path, or for one file of a set. */
function wholeArtifact(uri: string): { digest: string; segments: string[] } {
  const { digest, segments } = parseReference(uri);
  if (digest === null || segments.length !== 2)
    throw new UnderstudyError('artifact_refused', {
      uri,
      detail: 'only an artifact URI without a file name stands for something whole',
    });
  return { digest, segments };
}

function absent(error: unknown): null {
  if (error instanceof UnderstudyError && error.code === 'artifact_missing') return null;
  throw error;
}

async function listFiles(uri: string, path: string): Promise<{ files: FileFacts[]; isFolder: boolean }> {
  if ((await stat(path)).isFile()) return { files: [await fileFacts('content', path)], isFolder: false };
  const files: FileFacts[] = [];
  for (const name of (await readdir(path)).sort()) {
    if (!(await lstat(join(path, name))).isFile()) {
      throw new UnderstudyError('artifact_refused', { uri, detail: 'it contains something that is not a plain file' });
    }
    files.push(await fileFacts(name, join(path, name)));
  }
  return { files, isFolder: true };
}

async function sweepDrafts(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) {
    const facts = await stat(join(folder, name)).catch(() => undefined);
    if (facts && Date.now() - facts.mtimeMs > STALE_DRAFT_MS)
      await rm(join(folder, name), { recursive: true, force: true });
  }
}

/** A rename is on disk only when its folder is. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
