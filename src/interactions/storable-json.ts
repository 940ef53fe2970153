import { canonicalText } from './canonical-text.js';

const LONE_SURROGATE = /\p{Surrogate}/gu;
/** What Postgres refuses in jsonb, as JSON.stringify spells it. A match only means that a closer look is needed. */
const SUSPECT = /\\u(0000|d[89a-f])/i;

/**
 * JSON text that Postgres takes as jsonb: NUL characters and halves of surrogate pairs become U+FFFD. Bodies belong to
 * the upstream and are not ours to refuse, but these two cannot be stored.
 */
export function storableJson(value: unknown): string {
  return storableText(canonicalText(value));
}

/** The same for a text that JSON.parse accepts; the very text where nothing is to be changed. */
export function storableText(text: string): string {
  return text.includes('\\u') && SUSPECT.test(text) ? JSON.stringify(repair(JSON.parse(text))) : text;
}

function repair(value: unknown): unknown {
  if (typeof value === 'string') return repairText(value);
  if (Array.isArray(value)) return value.map(repair);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [repairText(key), repair(inner)]));
}

function repairText(text: string): string {
  return text.replaceAll('\0', '\ufffd').replace(LONE_SURROGATE, '\ufffd');
}
