import { createHash } from 'node:crypto';

/** Helpers to look into values of which nothing is known. None of them throws. */

export type Fields = Record<string, unknown>;

export function fieldsOf(value: unknown): Fields | undefined {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Fields) : undefined;
}

/** A text that is not empty. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A number, also one written as text, as CSV has them. */
export function numberOf(value: unknown): number | undefined {
  const number =
    typeof value === 'number'
      ? value
      : typeof value === 'string' && /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(value.trim())
        ? Number(value)
        : undefined;
  return number !== undefined && Number.isFinite(number) ? number : undefined;
}

/** The value behind JSON text; anything else, also text that is no JSON, as it is. */
export function unpacked(value: unknown): unknown {
  if (typeof value !== 'string' || !/^\s*[[{]/.test(value)) return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Tags as a record takes them: texts of at most 1,024 characters, without the empty ones. */
export function tagsOf(tags: Fields): Record<string, string> {
  const kept = Object.entries(tags).flatMap(([name, value]) => {
    const text = typeof value === 'number' || typeof value === 'boolean' ? String(value) : textOf(value);
    return text === undefined || name === '' || name.length > 128 ? [] : [[name, text.slice(0, 1_024)] as const];
  });
  return Object.fromEntries(kept.slice(0, 64));
}

/** Without the fields that say nothing. */
export function compact(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null));
}
