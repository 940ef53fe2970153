/** Attributes by their key; of a key given twice the last one. */
export type Attributes = ReadonlyMap<string, unknown>;

/** Deeper values are refused: nothing that a model is asked is. */
const DEEPEST = 64;

export class TooDeep extends Error {}

/**
 * An AnyValue of OTLP's JSON mapping as plain JSON: numbers where they are exact, bytes as base64, null for an empty one
 * and for what is none. Throws `TooDeep`.
 */
export function plainValue(value: unknown, depth = 0): unknown {
  if (depth > DEEPEST) throw new TooDeep();
  if (!isObject(value)) return null;
  if (typeof value.stringValue === 'string') return value.stringValue;
  if (typeof value.boolValue === 'boolean') return value.boolValue;
  if (value.intValue !== undefined && value.intValue !== null) return wholeNumber(value.intValue);
  if (value.doubleValue !== undefined && value.doubleValue !== null) return finiteNumber(value.doubleValue);
  if (isObject(value.arrayValue)) return listOf(value.arrayValue.values).map((item) => plainValue(item, depth + 1));
  if (isObject(value.kvlistValue)) {
    return Object.fromEntries(
      listOf(value.kvlistValue.values).flatMap((item) =>
        isObject(item) && typeof item.key === 'string' ? [[item.key, plainValue(item.value, depth + 1)]] : [],
      ),
    );
  }
  return typeof value.bytesValue === 'string' ? value.bytesValue : null;
}

/** The attributes of a `KeyValue` list. Throws `TooDeep`. */
export function attributesOf(list: unknown): [string, unknown][] {
  return listOf(list).flatMap((item): [string, unknown][] =>
    isObject(item) && typeof item.key === 'string' ? [[item.key, plainValue(item.value)]] : [],
  );
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

export function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** int64 comes as a decimal string or as a number; one that a double cannot hold stays text. */
function wholeNumber(value: unknown): unknown {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  return typeof value === 'string' && /^-?\d{1,20}$/.test(value) ? value : null;
}

/** JSON has no NaN and no infinity: they come as text, and mean that there is no number. */
function finiteNumber(value: unknown): number | null {
  const number = typeof value === 'number' || typeof value === 'string' ? Number(value) : Number.NaN;
  return Number.isFinite(number) ? number : null;
}
