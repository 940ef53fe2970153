import { createHash } from 'node:crypto';
import { canonicalJson } from '../policy/index.js';

/**
 * SHA-256 of what was sent, independent of key order, of absent or null optional fields and of the spelling of
 * timestamps: two records with the same digest say the same.
 */
export function recordDigest(record: Record<string, unknown>): Buffer {
  const given = Object.entries(record).filter(([, value]) => value !== null && value !== undefined);
  return createHash('sha256')
    .update(canonicalJson(Object.fromEntries(given)))
    .digest();
}
