import { canonicalJson, formatDuration, type Policy } from '../policy/index.js';

export interface PolicyChange {
  /** Dotted path of the field, e.g. `experiment.share`. */
  path: string;
  /** As one would write it: durations with their unit. Null when the field was not there. */
  before: unknown;
  after: unknown;
}

/** Fields that are milliseconds in a parsed policy. */
const DURATIONS = /(?:^|\.)(?:timeout|drain|lookback|min_duration|max_duration|look_every|feedback_window|bake|for)$/;

/** Every field in which two policies differ, defaults filled in, in the order of the policy. */
export function diffPolicies(before: Policy, after: Policy): PolicyChange[] {
  const left = flatten(before);
  const right = flatten(after);
  return [...new Set([...left.keys(), ...right.keys()])]
    .filter((path) => canonicalJson(left.get(path) ?? null) !== canonicalJson(right.get(path) ?? null))
    .map((path) => ({ path, before: readable(path, left.get(path)), after: readable(path, right.get(path)) }));
}

function flatten(value: unknown, path = '', into = new Map<string, unknown>()): Map<string, unknown> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return into.set(path, value);
  for (const [key, inner] of Object.entries(value)) flatten(inner, path === '' ? key : `${path}.${key}`, into);
  return into;
}

function readable(path: string, value: unknown): unknown {
  return typeof value === 'number' && DURATIONS.test(path) ? formatDuration(value) : (value ?? null);
}
