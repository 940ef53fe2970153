import { isIPv6 } from 'node:net';
import { isCardNumber } from './card-number.js';
import { redactPhones } from './phone-number.js';

export type PersonalData = 'EMAIL' | 'PHONE' | 'CARD' | 'SSN' | 'IP';
export type RedactionCounts = Record<PersonalData, number>;

export const noRedactions = (): RedactionCounts => ({ EMAIL: 0, PHONE: 0, CARD: 0, SSN: 0, IP: 0 });

// Every pattern is linear: bounded repetitions, and a separator between any two groups of digits, so that a hostile text
// cannot make the engine try many ways to read it.
const EMAIL = /[\p{L}\p{N}._%+'-]{1,64}@(?:[\p{L}\p{N}-]{1,63}\.){1,8}\p{L}{2,24}(?![\p{L}\p{N}])/gu;
const OCTET = '(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)';
const IPV4 = new RegExp(`(?<![\\w.])${OCTET}(?:\\.${OCTET}){3}(?![\\w]|\\.\\d)`, 'g');
const IPV6 = /(?<![\w:.])(?=[0-9a-f:.]{0,39}\d)[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,8}(?:\.\d{1,3}){0,3}(?![\w:])/gi;
const SSN = /(?<![\w-])\d{3}([- .])\d{2}\1\d{4}(?![\w-])/g;
/** Without its dashes only where the words say so. */
const SSN_ANNOUNCED = /\b(ssn|social security(?: (?:number|no))?)(\W{1,3}(?:is\W)?)\d{9}(?!\w)/gi;
const CARD =
  /(?<![\p{L}\d_])(?:\d{12,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{3})?|\d{4}([ -])\d{6}\2\d{4,5})(?![\p{L}\d_])/gu;

/**
 * Replaces e-mail addresses, telephone numbers, payment card numbers (checksum), US social security numbers and IP
 * addresses by `[EMAIL]`, `[PHONE]`, `[CARD]`, `[SSN]`, `[IP]`, and adds to `counts`.
 */
export function redact(text: string, counts: RedactionCounts = noRedactions()): string {
  const replaceBy = (kind: PersonalData) => {
    counts[kind] += 1;
    return `[${kind}]`;
  };
  // The strict shapes go first: what is left of the digits may still look like a telephone number.
  let out = text.includes('@') ? text.replace(EMAIL, () => replaceBy('EMAIL')) : text;
  if (!/\d/.test(out)) return out;
  out = out
    .replace(IPV6, (found) => (isIPv6(found) ? replaceBy('IP') : found))
    .replace(IPV4, () => replaceBy('IP'))
    .replace(SSN, () => replaceBy('SSN'))
    .replace(SSN_ANNOUNCED, (_found, word: string, between: string) => word + between + replaceBy('SSN'))
    .replace(CARD, (found) => (isCardNumber(found) ? replaceBy('CARD') : found));
  return redactPhones(out, () => replaceBy('PHONE'));
}
