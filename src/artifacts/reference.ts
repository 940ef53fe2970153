import { UnderstudyError } from '../errors.js';

/** A place in the store, already checked: nothing in it can lead out of the root. */
export interface ArtifactPlace {
  /** Path segments below the root. */
  segments: string[];
  /** The digest in an `artifact:` URI; null for a plain path, whose content nothing vouches for. */
  digest: string | null;
}

const KIND = /^[a-z]{1,32}$/;
const DIGEST = /^[0-9a-f]{64}$/;
/** No leading dot: `.`, `..` and drafts can never be named. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/**
 * Parses `artifact:<kind>/<digest>`, `artifact:<kind>/<digest>/<name>`, or a plain path below the root such as
 * `golden/support.jsonl`. An allow-list: whatever is not plainly one of these is `artifact_refused`.
 */
export function parseReference(reference: string): ArtifactPlace {
  if (reference.startsWith('artifact:')) {
    const segments = reference.slice('artifact:'.length).split('/');
    const [kind = '', digest = '', name] = segments;
    const right =
      KIND.test(kind) && DIGEST.test(digest) && (name === undefined || NAME.test(name)) && segments.length <= 3;
    if (!right)
      throw refused(reference, 'an artifact URI is artifact:<kind>/<64 hex digits>, with one file name at most');
    return { segments, digest };
  }
  const segments = reference.split('/');
  if (segments.length > 8 || !segments.every((segment) => NAME.test(segment))) {
    throw refused(reference, 'a path is given below UNDERSTUDY_ARTIFACTS, without "..", a leading "/" or hidden names');
  }
  return { segments, digest: null };
}

/** The URI of a stored set or file; throws `artifact_refused` for an impossible kind or digest. */
export function artifactUri(kind: string, digest: string): string {
  const uri = `artifact:${kind}/${digest}`;
  parseReference(uri);
  return uri;
}

/** Throws `artifact_refused` unless `name` may be a file of a set. */
export function assertFileName(name: string): void {
  if (!NAME.test(name)) throw refused(name, 'a file name is 1 to 128 of A-Z, a-z, 0-9, ".", "_", "-"');
}

function refused(reference: string, detail: string): UnderstudyError {
  return new UnderstudyError('artifact_refused', { uri: JSON.stringify(reference.slice(0, 200)), detail });
}
