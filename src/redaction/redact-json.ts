import { redactText } from './redact-text.js';

/** Deeper than any body that means something; what lies below is not kept. */
const DEEPEST = 200;
const TOO_DEEP = '[NESTED TOO DEEP]';
/** Members whose values are names of the protocol, not words of a person. */
const PROTOCOL = new Set([
  'id',
  'object',
  'model',
  'role',
  'type',
  'finish_reason',
  'tool_call_id',
  'upstream_id',
  'system_fingerprint',
  'service_tier',
]);
const NAME = /^[\w.:/-]{1,200}$/;

/**
 * A copy of a JSON value with the personal data in its strings replaced by placeholders, see `redact`. Names of members,
 * numbers, pictures and sound stay as they are. Log probabilities go: they hold the text once more, in pieces in which
 * nothing is recognised. To be run by `inTurns`.
 */
export function* redactJson(value: unknown, depth = 0): Generator<undefined, unknown> {
  if (typeof value === 'string') return yield* redactText(value);
  if (value === null || typeof value !== 'object') return value;
  if (depth === DEEPEST) return TOO_DEEP;
  if (Array.isArray(value)) {
    const items: unknown[] = [];
    for (const item of value) items.push(isPlain(item) ? item : yield* redactJson(item, depth + 1));
    return items;
  }
  const members: [string, unknown][] = [];
  for (const [name, inner] of Object.entries(value)) {
    if (isPlain(inner) || (PROTOCOL.has(name) && typeof inner === 'string' && NAME.test(inner))) {
      members.push([name, inner]);
    } else if (name === 'logprobs' && typeof inner === 'object') members.push([name, null]);
    else members.push([name, yield* redactJson(inner, depth + 1)]);
  }
  return Object.fromEntries(members);
}

function isPlain(value: unknown): boolean {
  return value === null || (typeof value !== 'string' && typeof value !== 'object');
}
