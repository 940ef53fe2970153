import { UnderstudyError } from '../errors.js';

const ALLOWED = ['curation', 'trainer', 'evaluation'] as const;

/**
 * Lays `overrides` of one cycle over a policy document, section by section. Only curation, trainer and evaluation may be
 * overridden, never sandbox, durations, experiment or promotion (`overrides_refused`). The result is not yet parsed.
 */
export function applyOverrides(
  document: Record<string, unknown>,
  overrides: Record<string, unknown> = {},
): Record<string, unknown> {
  const refused = Object.keys(overrides).filter((section) => !(ALLOWED as readonly string[]).includes(section));
  if (refused.length > 0) throw new UnderstudyError('overrides_refused', { fields: refused.join(', ') });
  const merged = { ...document };
  for (const section of ALLOWED) {
    if (overrides[section] !== undefined) merged[section] = merge(document[section], overrides[section]);
  }
  return merged;
}

function merge(below: unknown, above: unknown): unknown {
  if (!isObject(below) || !isObject(above)) return above;
  const merged: Record<string, unknown> = { ...below };
  for (const [key, value] of Object.entries(above)) merged[key] = merge(below[key], value);
  return merged;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
