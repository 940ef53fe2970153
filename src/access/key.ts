import { hash, randomBytes } from 'node:crypto';

/** `us_` and 32 random bytes in base64url: 43 characters without padding. */
const KEY = /^us_[A-Za-z0-9_-]{43}$/;

/** A new key. It is shown once; only its hash is stored. */
export function makeKey(): string {
  return `us_${randomBytes(32).toString('base64url')}`;
}

/** The start of a key that is shown in lists: 6 of its 43 random characters, which leaves 220 bits to guess. */
export function prefixOf(key: string): string {
  return key.slice(0, 9);
}

/** SHA-256 of a key in base64. A slow hash would gain nothing: the key has 256 random bits. */
export function hashKey(key: string): string {
  return hash('sha256', key, 'base64');
}

/** The key of an `Authorization: Bearer us_…` header; undefined when there is none of that form. */
export function keyOfHeader(header: string | undefined): string | undefined {
  const [, key] = /^bearer +(\S+) *$/i.exec(header ?? '') ?? [];
  return key !== undefined && KEY.test(key) ? key : undefined;
}
