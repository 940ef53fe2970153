import { UnderstudyError } from '../errors.js';

/** An instant from 1970 on, as given to an option in ISO 8601; a date alone is its beginning in UTC. Throws `invalid_option`. */
export function instant(option: string, text: string): Date {
  const at = /^\d{4}-\d{2}-\d{2}(T|$)/.test(text) ? new Date(text) : undefined;
  if (at === undefined || !(at.getTime() >= 0))
    throw new UnderstudyError('invalid_option', { option, detail: 'must be ISO 8601' });
  return at;
}
