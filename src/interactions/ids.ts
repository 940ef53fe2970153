import { createHash, hash, randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

/** A new UUIDv7, now or of a given instant; ids made without an instant grow in the order in which they are made. */
export function newId(at?: Date): string {
  return at === undefined ? v7() : randomId(at.getTime());
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
/** Ten bytes an id; asked for by the thousand, because asking costs more than the bytes. */
const RANDOM = Buffer.allocUnsafe(10_000);
let used = RANDOM.length;

function randomId(milliseconds: number): string {
  if (used === RANDOM.length) {
    randomFillSync(RANDOM);
    used = 0;
  }
  const time = milliseconds.toString(16).padStart(12, '0');
  const hex = (n: number) => HEX[RANDOM[used + n]!]!;
  const version = HEX[0x70 | (RANDOM[used]! & 0x0f)]!;
  const variant = HEX[0x80 | (RANDOM[used + 2]! & 0x3f)]!;
  const id = `${time.slice(0, 8)}-${time.slice(8)}-${version}${hex(1)}-${variant}${hex(3)}-${hex(4)}${hex(5)}${hex(6)}${hex(7)}${hex(8)}${hex(9)}`;
  used += 10;
  return id;
}

/**
 * The id of a record that came without one, so that a resend finds itself: a UUIDv7 with the 48 bits of its timestamp and
 * the first 74 free bits of SHA-256(model ␀ timestamp ␀ external_id). The timestamp is hashed as ISO 8601 in UTC with
 * milliseconds, whatever its spelling was.
 */
export function deriveInteractionId(model: string, timestamp: Date, externalId: string): string {
  return deriveId(timestamp, model, timestamp.toISOString(), externalId);
}

/** A UUIDv7 of an instant whose other bits are of SHA-256 over the parts, with ␀ between them: the same for the same parts. */
export function deriveId(at: Date, ...parts: readonly string[]): string {
  return uuid7(at.getTime(), hash('sha256', parts.join('\0'), 'buffer'));
}

/**
 * The id of feedback that came inside its interaction: the interaction's 48 bits of time (so that both leave with the
 * same month), then the position in the list, then bits of SHA-256(interaction ␀ position ␀ digest of the body). Ids grow
 * with the position, so that the last one of a list is the latest.
 *
 * @param position below 4,096
 */
export function deriveFeedbackId(interactionId: string, position: number, digest: Buffer): string {
  const random = createHash('sha256').update(`${interactionId}\0${position}\0`).update(digest).digest();
  random.writeUInt16BE(position, 0);
  return uuid7(Number.parseInt(interactionId.replaceAll('-', '').slice(0, 12), 16), random);
}

function uuid7(milliseconds: number, random: Buffer): string {
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(milliseconds, 0, 6);
  random.copy(bytes, 6, 0, 10);
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
