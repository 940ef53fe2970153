import { normalised, PARTS } from '#setup/demo-data.mjs';
import { expand, type Phrase, parsePhrase } from './grammar.js';
import { ACCOUNTS } from './intents/accounts.js';
import { CONTEXTS } from './intents/context.js';
import type { Intent } from './intents/intent.js';
import { ORDERS } from './intents/orders.js';
import { PAYMENTS } from './intents/payments.js';
import { PRODUCTS } from './intents/products.js';
import { RETURNS } from './intents/returns.js';
import { SERVICES } from './intents/services.js';
import { createRandom, type Random } from './random.js';
import { CLOSINGS, CONTACTS, misspell, OPENINGS, SLOTS } from './slots.js';

/** What a customer asks and the right answer to it. `subject` is who asks, when that is known. */
export interface Question {
  text: string;
  intent: string;
  subject?: string;
}

/** Shares of questions with each feature. Context and typos are what makes the task hard: see `CONTEXTS`. */
const SHARE = {
  opening: 0.15,
  context: 0.5,
  contextFirst: 0.5,
  closing: 0.2,
  mark: 0.4,
  contact: 0.04,
  typo: 0.3,
  capital: 0.3,
};

/**
 * Language moves on: the first phrases of an intent are how people always put it, the others came up later. Share of
 * questions in the later wording, when the base's questions were gathered and ever since.
 */
const LATER_WORDING = { from: 3, early: 0.05, since: 0.65 };

const INTENTS: readonly Intent[] = [...ORDERS, ...RETURNS, ...PAYMENTS, ...ACCOUNTS, ...PRODUCTS, ...SERVICES];

/** The labels of all intents, in a fixed order. */
export const INTENT_LABELS: readonly string[] = INTENTS.map((intent) => intent.label);

/**
 * `count` questions to a support desk in the order of time, each text different from all others (also after
 * `normalised`). The first 1,200 are older than the rest: wording that came up since is rare among them, as it is for
 * every model in use. The same seed gives the same list, and a shorter list is the beginning of a longer one.
 *
 * @param count 0…40,000
 * @throws RangeError when the grammar cannot give so many different texts
 */
export function generateQuestions(seed: number, count: number): Question[] {
  const random = createRandom(seed, 'questions');
  const grammar = parseAll();
  const seen = new Set<string>();
  const questions: Question[] = [];
  let repeats = 0;
  while (questions.length < count) {
    const { label, usual, later } = random.pick(grammar.intents);
    const isLater = random.chance(questions.length < PARTS.base ? LATER_WORDING.early : LATER_WORDING.since);
    const text = compose(isLater ? later : usual, grammar, random);
    const key = normalised(text);
    if (!seen.has(key)) {
      seen.add(key);
      questions.push({ text, intent: label });
    } else if (++repeats > 10_000 + count) {
      throw new RangeError(`the grammar gave only ${questions.length} different questions, ${count} were asked for`);
    }
  }
  return questions;
}

interface Grammar {
  intents: { label: string; usual: Phrase[]; later: Phrase[] }[];
  openings: Phrase[];
  contexts: Phrase[];
  closings: Phrase[];
  contacts: Phrase[];
}

function parseAll(): Grammar {
  return {
    intents: INTENTS.map(({ label, says }) => ({
      label,
      usual: says.slice(0, LATER_WORDING.from).map(parsePhrase),
      later: says.slice(LATER_WORDING.from).map(parsePhrase),
    })),
    openings: OPENINGS.map(parsePhrase),
    contexts: CONTEXTS.map(parsePhrase),
    closings: CLOSINGS.map(parsePhrase),
    contacts: CONTACTS.map(parsePhrase),
  };
}

function compose(says: readonly Phrase[], grammar: Grammar, random: Random): string {
  const say = (phrases: readonly Phrase[]) => expand(random.pick(phrases), SLOTS, random);
  let text = say(says);
  if (random.chance(SHARE.context)) {
    const joint = random.pick([', ', '. ', ' ', ' and ', ' but ']);
    const context = say(grammar.contexts);
    text = random.chance(SHARE.contextFirst) ? context + joint + text : text + joint + context;
  }
  if (random.chance(SHARE.opening)) text = `${say(grammar.openings)} ${text}`;
  if (random.chance(SHARE.closing)) text += `${random.pick([', ', '. ', ' '])}${say(grammar.closings)}`;
  if (random.chance(SHARE.contact)) text += `, ${say(grammar.contacts)}`;
  if (random.chance(SHARE.mark) && !/[?!.]$/.test(text)) text += random.pick(['?', '.', '!', '??']);
  if (random.chance(SHARE.typo)) text = misspell(text, random);
  return random.chance(SHARE.capital) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
}
