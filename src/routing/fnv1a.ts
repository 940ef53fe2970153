// FNV-1a in 32 bits, over UTF-16 units as JavaScript's published implementations do it. Hashes are signed; `>>> 0` makes
// them what others print. Nothing here allocates: it runs for every request.

/** The hash of nothing. */
export const OFFSET = 0x811c9dc5;
const PRIME = 0x01000193;
const ZERO = 0x30;

/** The hash of what was hashed before, followed by `text`. */
export function append(hash: number, text: string): number {
  let next = hash;
  for (let i = 0; i < text.length; i++) next = Math.imul(next ^ text.charCodeAt(i), PRIME);
  return next;
}

/** The four digits of every number below 10,000, as characters, one a byte. */
const DIGITS = Uint32Array.from({ length: 10_000 }, (_, number) =>
  [1_000, 100, 10, 1].reduce((packed, unit) => packed * 256 + ZERO + (Math.floor(number / unit) % 10), 0),
);

/** The hash of what was hashed before, followed by a whole number below 2³² as it is written in decimal digits. */
export function appendDigits(hash: number, number: number): number {
  // Whole numbers throughout: `>>> 0` lets the compiler divide without floating point.
  const upper = (number / 10_000) >>> 0;
  const low = (number - Math.imul(upper, 10_000)) >>> 0;
  const high = (upper / 10_000) >>> 0;
  const middle = upper - Math.imul(high, 10_000);
  if (high > 0) return appendFour(appendFour(appendShort(hash, high), middle), low);
  return middle > 0 ? appendFour(appendShort(hash, middle), low) : appendShort(hash, low);
}

function appendFour(hash: number, number: number): number {
  const digits = DIGITS[number]!;
  let next = Math.imul(hash ^ (digits >>> 24), PRIME);
  next = Math.imul(next ^ ((digits >>> 16) & 0xff), PRIME);
  next = Math.imul(next ^ ((digits >>> 8) & 0xff), PRIME);
  return Math.imul(next ^ (digits & 0xff), PRIME);
}

/** The same without leading zeros. */
function appendShort(hash: number, number: number): number {
  const digits = DIGITS[number]!;
  let next = hash;
  if (number >= 1_000) next = Math.imul(next ^ (digits >>> 24), PRIME);
  if (number >= 100) next = Math.imul(next ^ ((digits >>> 16) & 0xff), PRIME);
  if (number >= 10) next = Math.imul(next ^ ((digits >>> 8) & 0xff), PRIME);
  return Math.imul(next ^ (digits & 0xff), PRIME);
}
