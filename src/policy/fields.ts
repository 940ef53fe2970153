import { z } from 'zod';
import { UnderstudyError } from '../errors.js';

/** Of subjects on the smaller arm. */
export const share = z.number().gt(0).max(0.5);
export const probability = z.number().gt(0).lt(1);
/** Paths are put behind it, and it is stored and shown: nothing may follow its own path, and no secret may be in it. */
export const httpUrl = z
  .url({ protocol: /^https?$/ })
  .refine(isPlainUrl, 'must not have a user, password, query or fragment; a secret belongs into api_key')
  .transform((url) => url.replace(/\/+$/, ''));
/** A reference to an environment variable, so that no secret is stored: `${UPSTREAM_API_KEY}`. */
export const variable = z
  .string()
  .regex(/^\$\{[A-Z][A-Z0-9_]*\}$/, 'must name an environment variable: a dollar sign, and the name in braces');

/**
 * An address that a variable of a policy stands for, checked as those that are written there, but for the query: it may
 * be part of the secret. Throws `invalid_policy`, without repeating it.
 */
export function secretUrl(text: string): string {
  const parsed = z.url({ protocol: /^https?$/ }).safeParse(text);
  if (parsed.success && isPlainUrl(text.replace(/[?#].*$/, ''))) return text;
  throw new UnderstudyError('invalid_policy', { detail: 'the variable of a webhook url is no http(s) address' });
}

function isPlainUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { username, password, search, hash } = new URL(text);
  return [username, password, search, hash].every((part) => part === '');
}
