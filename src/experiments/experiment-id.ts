import { createHash } from 'node:crypto';

/**
 * The id of a model's n-th experiment, a UUID of version 8 (made from a hash). It seeds the assignment, so a demo that is
 * run again with the same seed puts the same subjects into the same arms.
 */
export function experimentIdOf(model: string, kind: 'ab' | 'bake', ordinal: number): string {
  const bytes = createHash('sha256').update(`${model}/${kind}/${ordinal}`).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
