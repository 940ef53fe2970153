import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** One file of a set. */
export interface FileFacts {
  name: string;
  /** SHA-256 of its bytes, hex. */
  sha256: string;
  bytes: number;
}

/** Digest of a set of files: SHA-256 of the lines `<sha256>  <name>\n`, sorted by name in code-unit order. */
export function filesDigest(files: readonly Pick<FileFacts, 'name' | 'sha256'>[]): string {
  const lines = [...files].sort((a, b) => (a.name < b.name ? -1 : 1)).map(({ name, sha256 }) => `${sha256}  ${name}\n`);
  return createHash('sha256').update(lines.join('')).digest('hex');
}

/** SHA-256 and size of one file, read as a stream. */
export async function fileFacts(name: string, path: string): Promise<FileFacts> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  return { name, sha256: hash.digest('hex'), bytes };
}
