/** Groups of digits with exactly one separator between them, brackets included, and an extension. */
const CANDIDATE =
  /(?<![\p{L}\d_])(?<!\d[.,:/-])(?<!\d\s?[%$€£])\+?\(?\d{1,15}(?:(?:[ .\u00a0-]?\(|\)[ .\u00a0-]?|[ ./\u00a0-])\d{1,12}){0,7}(?:\s?(?:x|ext\.?)\s?\d{1,6})?(?![\p{L}\d_]|[.,:/-]\d)/giu;
const EXTENSION = /\s?(?:x|ext\.?)\s?\d{1,6}$/i;
/** A word that announces a telephone number, shortly before it. */
const ANNOUNCED =
  /(?:phone|telephone|tel|mobile|cell|fax|call|calling|ring|dial|sms|text|whatsapp|desk|hotline|reach me)\b[^\n\d]{0,24}$/i;
/** A word that announces some other number. */
const OTHER_NUMBER =
  /(?:order|invoice|ticket|case|reference|ref|tracking|parcel|account|acct|customer|serial|sku|id|code|license|zip|iban|isbn|imei|ean)\b[^\n\d]{0,16}$/i;
const DATE =
  /^(?:(?:19|20)\d\d([-./ ])\d{1,2}\1\d{1,2}(?:\D.*)?|\d{1,2}([-./ ])\d{1,2}\2(?:(?:19|20)\d\d(?: .*)?|\d\d))$/;
const YEARS = /^(?:19|20)\d\d[ -](?:19|20)\d\d$/;

/** Replaces telephone numbers by what `replacement` returns. Numbers without a telephone's shape need a word that announces them. */
export function redactPhones(text: string, replacement: () => string): string {
  return text.replace(CANDIDATE, (found: string, ...rest: unknown[]) => {
    const offset = rest.find((value) => typeof value === 'number') as number;
    const before = text.slice(Math.max(0, offset - 40), offset);
    const after = text.slice(offset + found.length, offset + found.length + 2);
    return isPhone(found, before, after) ? replacement() : found;
  });
}

function isPhone(found: string, before: string, after: string): boolean {
  const number = found.replace(EXTENSION, '');
  const groups = number.match(/\d+/g) ?? [];
  const sizes = groups.map((group) => group.length);
  const digits = sizes.reduce((sum, size) => sum + size, 0);
  if (digits < 7 || digits > 15 || DATE.test(number) || YEARS.test(number)) return false;
  if (number.startsWith('+') || number.startsWith('00')) return digits >= 8;
  if (number.includes('/')) return /^0\d{2,4}\/\d{5,8}$/.test(number);
  if (ANNOUNCED.test(before)) return true;
  if (number.includes('(') || found !== number) return true;
  if (groups.length === 1) return !OTHER_NUMBER.test(before) && looksDialled(number);
  if (OTHER_NUMBER.test(before)) return false;
  if (groups.length === 2) return isPair(number, sizes, after);
  if (isAmount(number, groups) || /^\d{1,3}(?:\.\d{1,3}){3}$/.test(number)) return false; // an address that is none, too
  return Math.max(...sizes) >= 3 || sizes.every((size) => size === 2);
}

/** Thousands in groups of three: 1.234.567, 1 234 567, 10 000 000. Nine digits in threes are a telephone number in much of Europe. */
function isAmount(number: string, [first = '', ...others]: string[]): boolean {
  if (!others.every((group) => group.length === 3)) return false;
  return number.includes('.') || first.length === 1 || others.at(-1) === '000';
}

/** Ten digits as North America dials them, or a national number with its leading zero. */
function looksDialled(digits: string): boolean {
  return /^[2-9]\d\d[2-9]\d{6}$/.test(digits) || /^0[1-9]\d{7,9}$/.test(digits);
}

/** Two groups are as often a house number, a postal code or a decimal number: only a telephone's usual halves count. */
function isPair(number: string, sizes: number[], after: string): boolean {
  const shape = sizes.join('-');
  if (number.includes('.')) return false;
  if (number.includes('-'))
    return shape === '3-4' || shape === '4-4' || (number.startsWith('0') && sizes[0]! <= 5 && sizes[1]! >= 5);
  if (number.startsWith('0') && sizes[0]! + sizes[1]! >= 9) return true;
  return (shape === '3-4' || shape === '4-4' || shape === '2-6') && !/^ \p{L}/u.test(after);
}
