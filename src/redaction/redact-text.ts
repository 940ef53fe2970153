import { noRedactions, type RedactionCounts, redact } from './redact.js';

/** What is redacted at a stretch, in characters: 2 ms of usual text, 8 ms of the worst. */
const PIECE = 16_384;
/** How far a number, or the word that announces it, may reach. */
const REACH = 64;
const NEAR_DIGIT = new RegExp(`\\d[^\\d]{0,${REACH}}$`);
const DIGIT_NEAR = new RegExp(`^[^\\d]{0,${REACH}}\\d`);
/** Sound and pictures: a number in them is none. */
const BINARY = /^data:[\w./+-]{1,100}(?:;[\w=.-]{1,100}){0,4},|^[A-Za-z0-9+/]{1000,}={0,2}$/;
const STRING_LITERAL = /"[^"\\]*(?:\\.[^"\\]*)*"/gs;
/** A placeholder where JSON has a number; a text in quotes is matched first, and left alone. */
const BARE_PLACEHOLDER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?(\[(?:EMAIL|PHONE|CARD|SSN|IP)\])/gs;

/**
 * `redact` of a text of any length, in steps of a few milliseconds. A text that is a JSON object or array (arguments of a
 * tool call, a structured answer) stays one: what stands in its strings is redacted as it reads without escapes.
 * The result depends on nothing but the text.
 */
export function* redactText(text: string, counts: RedactionCounts = noRedactions()): Generator<undefined, string> {
  if (BINARY.test(text)) return text;
  if (!isJson(text)) return yield* inPieces(text, counts);
  let inStrings = '';
  let from = 0;
  for (const { 0: literal, index } of text.matchAll(STRING_LITERAL)) {
    const inner = JSON.parse(literal) as string;
    const clean = yield* inPieces(inner, counts);
    inStrings += text.slice(from, index) + (clean === inner ? literal : JSON.stringify(clean));
    from = index + literal.length;
  }
  const whole = yield* inPieces(inStrings + text.slice(from), counts);
  if (isJson(whole)) return whole;
  return whole.replace(BARE_PLACEHOLDER, (found, placeholder?: string) =>
    placeholder === undefined ? found : `"${placeholder}"`,
  );
}

function* inPieces(text: string, counts: RedactionCounts): Generator<undefined, string> {
  let out = '';
  let rest = text;
  while (rest.length > PIECE) {
    const cut = cutOf(rest);
    out += redact(rest.slice(0, cut), counts);
    rest = rest.slice(cut);
    yield;
  }
  out += redact(rest, counts);
  yield;
  return out;
}

/** Where a long text may be cut: at white space far from any digit, so that nothing to be found lies across. */
function cutOf(text: string): number {
  let otherwise = 0;
  for (let at = PIECE; at > PIECE / 2; at--) {
    const char = text[at];
    if (char !== ' ' && char !== '\n') continue;
    if (!NEAR_DIGIT.test(text.slice(at - REACH, at)) && !DIGIT_NEAR.test(text.slice(at, at + REACH))) return at;
    // Digits everywhere: the end of a line, else of a word.
    if (otherwise === 0 || (char === '\n' && text[otherwise] !== '\n')) otherwise = at;
  }
  return otherwise === 0 ? PIECE : otherwise;
}

function isJson(text: string): boolean {
  if (!/^\s*[{[]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
