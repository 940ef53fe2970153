import { numberOf } from './values.js';

const LATEST = Date.UTC(9999, 11, 31);
const WRITTEN = /^(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2})(:\d{2}(?:[.,]\d+)?)?)?\s*(Z|UTC|[+-]\d{2}(?::?\d{2})?)?$/;

/**
 * The instant a log means, as ISO 8601 in UTC with milliseconds: seconds, milliseconds, microseconds or nanoseconds since
 * 1970 (told apart by their size), or a date written as ISO 8601 or with a space; without an offset it is UTC.
 * Undefined when it is none, or not between 1970 and 9999.
 */
export function instantOf(value: unknown): string | undefined {
  const number = numberOf(value);
  const milliseconds = number === undefined ? (typeof value === 'string' ? parse(value) : Number.NaN) : scaled(number);
  if (!(milliseconds >= 0 && milliseconds <= LATEST)) return undefined;
  return new Date(milliseconds).toISOString();
}

function scaled(number: number): number {
  if (number < 1e11) return Math.round(number * 1_000);
  if (number < 1e14) return Math.round(number);
  return Math.round(number < 1e17 ? number / 1e3 : number / 1e6);
}

function parse(text: string): number {
  const match = WRITTEN.exec(text.trim());
  if (match === null) return Number.NaN;
  const [, day, minutes = '00:00', seconds = ':00', zone = 'Z'] = match;
  const offset = /^[+-]\d{2}$/.test(zone) ? `${zone}:00` : zone === 'UTC' ? 'Z' : zone;
  // Dates know milliseconds only.
  const shortened = seconds.replace(',', '.').replace(/(\.\d{3})\d+$/, '$1');
  return Date.parse(`${day}T${minutes}${shortened}${offset}`);
}
