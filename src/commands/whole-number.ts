import { UnderstudyError } from '../errors.js';

/** A whole number from 1 on, as given to an option; throws `invalid_option`. */
export function wholeNumber(option: string, text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw new UnderstudyError('invalid_option', { option, detail: 'must be a whole number from 1 on' });
  return Number(text);
}
