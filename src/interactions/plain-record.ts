import { isStorableText } from './fields.js';
import type { InteractionRecord } from './record.js';

const UUID7 = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-7[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$/;
const MODEL = /^[a-z0-9._-]{1,64}$/;
const LARGEST = 2_147_483_647;

type Fields = Readonly<Record<string, unknown>>;

/**
 * True only for a record that `interactionRecord` accepts and answers unchanged: the common shape, checked in a tenth of
 * the time. False says nothing; such a record goes to the schema, which alone says what is wrong.
 */
export function isPlainRecord(item: unknown): item is InteractionRecord {
  if (!isPlainObject(item)) return false;
  for (const name in item) {
    if (!isPlainField(name, item[name])) return false;
  }
  const { id, external_id: externalId, timestamp, model, request } = item;
  return Boolean(id ?? externalId) && timestamp !== undefined && model !== undefined && request !== undefined;
}

function isPlainField(name: string, value: unknown): boolean {
  switch (name) {
    case 'timestamp':
      return isPlainTimestamp(value);
    case 'model':
      return typeof value === 'string' && MODEL.test(value);
    case 'request':
      return isPlainObject(value) && isPlainList(value.messages, (message) => typeof message.role === 'string');
  }
  if (value === null) return OPTIONAL.has(name);
  switch (name) {
    case 'id':
      return typeof value === 'string' && UUID7.test(value);
    case 'external_id':
    case 'session':
      return isPlainIdentifier(value, 512);
    case 'subject':
      return typeof value === 'string' && value.length >= 1 && value.length <= 1_024;
    case 'response':
      return isPlainObject(value) && isPlainList(value.choices, () => true);
    case 'version':
      return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= LARGEST;
    case 'latency_ms':
      return typeof value === 'number' && value >= 0 && value <= LARGEST;
    case 'tags':
      return isPlainObject(value) && arePlainTags(value);
    default:
      // Feedback has many shapes and is left to its schema.
      return false;
  }
}

const OPTIONAL = new Set([
  'id',
  'external_id',
  'session',
  'subject',
  'response',
  'version',
  'latency_ms',
  'tags',
  'feedback',
]);

/** An object as JSON.parse makes it, without a member that a copy of it would treat as its prototype. */
function isPlainObject(value: unknown): value is Fields {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.getPrototypeOf(value) === Object.prototype &&
    !Object.hasOwn(value, '__proto__')
  );
}

function isPlainList(value: unknown, check: (item: Fields) => boolean): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((item) => isPlainObject(item) && check(item));
}

function isPlainIdentifier(value: unknown, max: number): boolean {
  return typeof value === 'string' && value.length >= 1 && value.length <= max && isStorableText(value);
}

/** In UTC with milliseconds, or without; other spellings are the schema's. */
function isPlainTimestamp(value: unknown): boolean {
  if (typeof value !== 'string' || (value.length !== 24 && value.length !== 20)) return false;
  const milliseconds = Date.parse(value);
  if (!(milliseconds >= 0)) return false;
  const text = new Date(milliseconds).toISOString();
  // Years beyond 9999 make it longer, and are not ISO dates to the schema.
  if (text.length !== 24) return false;
  return value.length === 24 ? text === value : text.slice(0, 19) === value.slice(0, 19) && value[19] === 'Z';
}

function arePlainTags(tags: Fields): boolean {
  let count = 0;
  for (const name in tags) {
    const value = tags[name];
    if (!isPlainIdentifier(name, 128) || name.startsWith('understudy.')) return false;
    if (typeof value !== 'string' || value.length > 1_024) return false;
    count += 1;
  }
  return count <= 64;
}
