import type { Random } from './random.js';

/** What a `{slot}` becomes: a fixed set of phrases (which may hold grammar themselves) or a function of the generator. */
export type Slots = Readonly<Record<string, readonly string[] | ((random: Random) => string)>>;

/**
 * A phrase with choices, ready to be expanded:
 *
 * - `(a|b|c)` one of several, an empty one allowed; may be nested
 * - `[a]` there or not, half and half
 * - `{name}` a slot
 */
export type Phrase = readonly Part[];
type Part = string | { choices: readonly Phrase[] } | { slot: string };

/** @throws SyntaxError when brackets do not match or a slot has no name. */
export function parsePhrase(source: string): Phrase {
  const reader = { source, at: 0 };
  const choices = readChoices(reader, '');
  return choices.length === 1 ? (choices[0] as Phrase) : [{ choices }];
}

/** One text of the phrase, white space tidied. @throws RangeError when a slot is unknown. */
export function expand(phrase: Phrase, slots: Slots, random: Random): string {
  return render(phrase, slots, random)
    .replace(/\s+/g, ' ')
    .replace(/ ([,.?!])/g, '$1')
    .trim();
}

function render(phrase: Phrase, slots: Slots, random: Random): string {
  let text = '';
  for (const part of phrase) {
    if (typeof part === 'string') text += part;
    else if ('slot' in part) text += fill(part.slot, slots, random);
    else text += render(random.pick(part.choices), slots, random);
  }
  return text;
}

function fill(name: string, slots: Slots, random: Random): string {
  const slot = slots[name];
  if (slot === undefined) throw new RangeError(`the grammar has no slot {${name}}`);
  return typeof slot === 'function' ? slot(random) : render(cached(random.pick(slot)), slots, random);
}

const parsed = new Map<string, Phrase>();

function cached(source: string): Phrase {
  let phrase = parsed.get(source);
  if (phrase === undefined) {
    phrase = parsePhrase(source);
    parsed.set(source, phrase);
  }
  return phrase;
}

interface Reader {
  source: string;
  at: number;
}

/** Reads alternatives up to the closing bracket (`''` is the end of the source) and steps over it. */
function readChoices(reader: Reader, close: string): Phrase[] {
  const choices: Part[][] = [[]];
  let text = '';
  const flush = () => {
    if (text !== '') choices.at(-1)?.push(text);
    text = '';
  };
  while (reader.at < reader.source.length) {
    const char = reader.source[reader.at++] as string;
    if (char === close) {
      flush();
      return choices;
    }
    if (char === '|') {
      flush();
      choices.push([]);
    } else if (char === '(' || char === '[') {
      flush();
      const inner = readChoices(reader, char === '(' ? ')' : ']');
      choices.at(-1)?.push({ choices: char === '[' ? [[], [{ choices: inner }]] : inner });
    } else if (char === '{') {
      flush();
      choices.at(-1)?.push({ slot: readName(reader) });
    } else if (char === ')' || char === ']' || char === '}') {
      throw new SyntaxError(`unexpected ${char} at ${reader.at} in "${reader.source}"`);
    } else {
      text += char;
    }
  }
  if (close !== '') throw new SyntaxError(`missing ${close} in "${reader.source}"`);
  flush();
  return choices;
}

function readName(reader: Reader): string {
  const end = reader.source.indexOf('}', reader.at);
  const name = end < 0 ? '' : reader.source.slice(reader.at, end);
  if (!/^[a-z_]+$/.test(name)) throw new SyntaxError(`a slot needs a name in "${reader.source}"`);
  reader.at = end + 1;
  return name;
}
