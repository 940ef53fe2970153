/** Where the value of one member lies in a JSON text: [start, end). */
type Span = readonly [start: number, end: number];

/**
 * The text of a JSON object with the value of one top-level member replaced, and nothing else touched: numbers keep their
 * digits, members their order, spaces stay. A member that is absent is put first; one given twice is replaced twice.
 *
 * @param text an object that JSON.parse accepts
 * @param value replaces it, as JSON.stringify writes it
 */
export function spliceMember(text: string, name: string, value: unknown): string {
  return spliceJson(text, name, JSON.stringify(value));
}

/** The same with the JSON of the value. */
export function spliceJson(text: string, name: string, json: string): string {
  const spans = memberSpans(text, name);
  if (spans.length === 0) {
    const open = text.indexOf('{') + 1;
    const empty = /^\s*\}/.test(text.slice(open));
    return `${text.slice(0, open)}${JSON.stringify(name)}:${json}${empty ? '' : ','}${text.slice(open)}`;
  }
  let result = '';
  let from = 0;
  for (const [start, end] of spans) {
    result += text.slice(from, start) + json;
    from = end;
  }
  return result + text.slice(from);
}

const QUOTE = 0x22;
const COMMA = 0x2c;

/**
 * Where the values of a top-level member lie in the text of a JSON object, in order; more than one when it is given twice.
 * By character codes: every request and every answer goes through here.
 */
export function memberSpans(text: string, name: string): Span[] {
  const spans: Span[] = [];
  let at = skipSpace(text, text.indexOf('{') + 1);
  while (text.charCodeAt(at) === QUOTE) {
    const keyEnd = endOfString(text, at);
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const end = endOfValue(text, start);
    if (isKey(text, at, keyEnd, name)) spans.push([start, end]);
    at = skipSpace(text, end);
    if (text.charCodeAt(at) !== COMMA) break;
    at = skipSpace(text, at + 1);
  }
  return spans;
}

/** Whether the string in [start, end), quotes included, says `name`; it may be spelled with escapes. */
function isKey(text: string, start: number, end: number, name: string): boolean {
  const escaped = text.indexOf('\\', start);
  if (escaped !== -1 && escaped < end) return JSON.parse(text.slice(start, end)) === name;
  return end - start - 2 === name.length && text.startsWith(name, start + 1);
}

/** After the value that starts at `at`: strings are jumped over, brackets counted. */
function endOfValue(text: string, at: number): number {
  if (text.charCodeAt(at) === QUOTE) return endOfString(text, at);
  let depth = 0;
  for (let i = at; i < text.length; ) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) {
      i = endOfString(text, i);
      continue;
    }
    // { and [, then } and ].
    if (code === 0x7b || code === 0x5b) depth++;
    else if (depth === 0 && (code === COMMA || code === 0x7d || isSpace(code))) return i;
    else if (code === 0x7d || code === 0x5d) {
      depth--;
      if (depth === 0) return i + 1;
    }
    i++;
  }
  return text.length;
}

/** After the string that starts at `at`: the next quote that an even number of backslashes stands before. */
function endOfString(text: string, at: number): number {
  for (let quote = text.indexOf('"', at + 1); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(quote - 1 - backslashes) === 0x5c) backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
  }
  return text.length;
}

function skipSpace(text: string, at: number): number {
  let i = at;
  while (isSpace(text.charCodeAt(i))) i++;
  return i;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}
