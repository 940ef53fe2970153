import type { Readable } from 'node:stream';
import type { FileFacts } from './files-digest.js';

/** What can be written: text as UTF-8, bytes, or either in pieces. */
export type Content = string | Uint8Array | AsyncIterable<string | Uint8Array>;

/** A stored set of files, or one file. */
export interface StoredArtifact {
  /** `artifact:<kind>/<digest>` */
  uri: string;
  /** Of a set: see `filesDigest`. Of one file: SHA-256 of its bytes. */
  digest: string;
  files: FileFacts[];
}

/** A set being written piece by piece; nobody can see it before `commit`. */
export interface ArtifactDraft {
  /** Appends to a file of the set, which is made on first use. */
  append(name: string, piece: string | Uint8Array): Promise<void>;
  /** Makes the whole set appear under its digest at once. The same content again changes nothing. */
  commit(): Promise<StoredArtifact>;
  /** Leaves nothing behind; does nothing after `commit`. */
  discard(): Promise<void>;
}

/**
 * What stages, trainer and adapter servers exchange, by URI and SHA-256. Content never changes under its URI.
 * A `reference` is an `artifact:` URI or a plain path below the root; anything that would lead out of the root, a
 * symbolic link included, is `artifact_refused`; what is not there is `artifact_missing`.
 */
export interface ArtifactStore {
  /** Stores one file under the SHA-256 of its content. */
  putFile(kind: string, content: Content): Promise<StoredArtifact>;
  /** Stores a set of files under the digest of the set. */
  putFiles(kind: string, files: Readonly<Record<string, Content>>): Promise<StoredArtifact>;
  draft(kind: string): Promise<ArtifactDraft>;
  /** Reads one file. */
  open(reference: string): Promise<Readable>;
  /** Path of a file or folder on this machine, for programs that need one. */
  localPath(reference: string): Promise<string>;
  /** Reads everything again and compares it with the digest in the URI; throws `artifact_refused` when it differs. */
  verify(uri: string): Promise<StoredArtifact>;
  /** How many bytes a stored set or file takes; null when it is not there. */
  bytesOf(uri: string): Promise<number | null>;
  /** Takes a stored set or file away, all at once; false when it was not there. Whoever calls knows that nothing needs it. */
  remove(uri: string): Promise<boolean>;
}
