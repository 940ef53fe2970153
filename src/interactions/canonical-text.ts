/** Keys as they are written; the few that come again and again need not be quoted anew. */
const quotedKeys = new Map<string, string>();
const KEPT_KEYS = 1_000;
const LONGEST_KEPT_KEY = 64;

/**
 * The same text as `canonicalJson` for every value that JSON can say, several times faster: each interaction is turned
 * into it once, both to be digested and to be stored (jsonb keeps no order of keys).
 *
 * @throws RangeError for what is nested so deep that walking through it overflows the stack
 */
export function canonicalText(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : 'null';
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) {
    let text = '[';
    for (let index = 0; index < value.length; index++) {
      text += index === 0 ? canonicalText(value[index]) : `,${canonicalText(value[index])}`;
    }
    return `${text}]`;
  }
  const fields = value as Record<string, unknown>;
  let text = '';
  for (const key of orderedKeys(fields)) {
    const inner = fields[key];
    if (inner === undefined) continue;
    text += (text === '' ? '{' : ',') + quotedKey(key) + canonicalText(inner);
  }
  return text === '' ? '{}' : `${text}}`;
}

/** By code unit, except that V8 puts array indexes first in every object, in the order of their numbers. */
function orderedKeys(fields: Record<string, unknown>): string[] {
  const keys = Object.keys(fields);
  let digits = false;
  let sorted = true;
  for (let at = 0; at < keys.length; at++) {
    const first = keys[at]!.charCodeAt(0);
    if (first >= 48 && first <= 57) digits = true;
    if (at > 0 && keys[at - 1]! > keys[at]!) sorted = false;
  }
  if (!sorted) keys.sort();
  return digits ? Object.keys(Object.fromEntries(keys.map((key) => [key, null]))) : keys;
}

function quotedKey(key: string): string {
  const known = quotedKeys.get(key);
  if (known !== undefined) return known;
  const quoted = `${JSON.stringify(key)}:`;
  if (quotedKeys.size < KEPT_KEYS && key.length <= LONGEST_KEPT_KEY) quotedKeys.set(key, quoted);
  return quoted;
}
