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
  const json = JSON.stringify(value);
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

function memberSpans(text: string, name: string): Span[] {
  const spans: Span[] = [];
  let at = skipSpace(text, text.indexOf('{') + 1);
  while (text[at] === '"') {
    const keyEnd = endOfString(text, at);
    const key = JSON.parse(text.slice(at, keyEnd)) as string;
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const end = endOfValue(text, start);
    if (key === name) spans.push([start, end]);
    at = skipSpace(text, end);
    if (text[at] !== ',') break;
    at = skipSpace(text, at + 1);
  }
  return spans;
}

/** After the value that starts at `at`: strings are jumped over, brackets counted. */
function endOfValue(text: string, at: number): number {
  if (text[at] === '"') return endOfString(text, at);
  let depth = 0;
  for (let i = at; i < text.length; ) {
    const char = text[i];
    if (char === '"') {
      i = endOfString(text, i);
      continue;
    }
    if (char === '{' || char === '[') depth++;
    else if (depth === 0 && (char === ',' || char === '}' || isSpace(char))) return i;
    else if (char === '}' || char === ']') {
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
    while (text[quote - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
  }
  return text.length;
}

function skipSpace(text: string, at: number): number {
  let i = at;
  while (isSpace(text[i])) i++;
  return i;
}

function isSpace(char: string | undefined): boolean {
  return char === ' ' || char === '\n' || char === '\r' || char === '\t';
}
