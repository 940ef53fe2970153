import { z } from 'zod';

const LONE_SURROGATE = /\p{Surrogate}/u;

/** A short text of ours that is indexed or compared: Postgres text cannot hold NUL, an index entry at most 2,704 bytes. */
export function identifier(max: number) {
  return z.string().min(1).max(max).refine(isStorableText, 'contains characters that cannot be stored');
}

export function isStorableText(text: string): boolean {
  return !text.includes('\0') && !LONE_SURROGATE.test(text);
}

/** ISO 8601 with `Z` or an offset. Ids carry it in 48 unsigned bits, so it starts in 1970. */
export const timestamp = z.iso
  .datetime({ offset: true })
  .refine((text) => new Date(text).getTime() >= 0, 'must not be before 1970');
