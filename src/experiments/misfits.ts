/** A stored value that is not what it has to be. */
export interface Misfit {
  /** Column, and path inside it, e.g. `boundary` or `evidence.figures.harm.U`. */
  field: string;
  stored: unknown;
  expected: unknown;
}

/** Figures found again on another machine may differ in their last digits; counts and times may not. */
const RELATIVE = 1e-9;

/** The column that a field of a stored row is in. */
export function columnName(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Every leaf at which two values differ, as JSON sees them: what is undefined is not there. */
export function differences(field: string, stored: unknown, expected: unknown): Misfit[] {
  if (isObject(stored) && isObject(expected)) {
    const names = new Set([...Object.keys(stored), ...Object.keys(expected)]);
    return [...names].flatMap((name) => differences(`${field}.${name}`, stored[name], expected[name]));
  }
  return alike(stored, expected) ? [] : [{ field, stored: stored ?? null, expected: expected ?? null }];
}

function alike(stored: unknown, expected: unknown): boolean {
  if (
    typeof stored !== 'number' ||
    typeof expected !== 'number' ||
    (Number.isInteger(stored) && Number.isInteger(expected))
  ) {
    // JSON writes infinity as null.
    return asJson(stored) === asJson(expected);
  }
  return Math.abs(stored - expected) <= RELATIVE * Math.max(Math.abs(stored), Math.abs(expected));
}

function asJson(value: unknown): string | undefined {
  return JSON.stringify(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !(value instanceof Date);
}
