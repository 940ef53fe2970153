import { hash } from 'node:crypto';
import { canonicalText } from './canonical-text.js';

/**
 * SHA-256 of what was sent, independent of key order, of absent or null optional fields and of the spelling of
 * timestamps: two records with the same digest say the same.
 */
export function recordDigest(record: Readonly<Record<string, unknown>>): Buffer {
  const given = Object.entries(record).filter(([, value]) => value !== null && value !== undefined);
  return hash('sha256', canonicalText(Object.fromEntries(given)), 'buffer');
}
