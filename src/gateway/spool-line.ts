import { createHash } from 'node:crypto';

const DIGEST_CHARS = 64;

/** One line of a spool file: SHA-256 of the text in hex, its length in bytes, the text. The text holds no line break. */
export function encodeLine(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from(`${sha256(bytes)} ${bytes.length} `), bytes, Buffer.from('\n')]);
}

/** The text of a line without its line break; undefined for anything that was not written whole. Never throws. */
export function decodeLine(line: Buffer): string | undefined {
  const end = line.indexOf(0x20, DIGEST_CHARS + 1);
  if (end === -1 || line[DIGEST_CHARS] !== 0x20) return undefined;
  const bytes = line.subarray(end + 1);
  if (line.toString('latin1', DIGEST_CHARS + 1, end) !== String(bytes.length)) return undefined;
  return line.toString('latin1', 0, DIGEST_CHARS) === sha256(bytes) ? bytes.toString() : undefined;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
