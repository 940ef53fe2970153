import { LEAST_QUESTIONS, normalised, PARTS } from '#setup/demo-data.mjs';
import type { Question } from './questions.js';
import { createRandom } from './random.js';

/** Four parts without a text in common. */
export interface QuestionSplit {
  /** Build the base model: 1,200. */
  base: Question[];
  /** The golden set of the evaluation, never trained on: 400. */
  golden: Question[];
  /** Asked before the cycle, so what it can learn from: 6,000 at most. */
  before: Question[];
  /** Asked only during experiment and bake. */
  live: Question[];
}

/** How many questions of the generator the demo wants: the three fixed parts and as many live ones again. */
export const GENERATED_QUESTIONS = 16_000;

/** How to deal. */
export interface SplitOptions {
  /** `oldest`: the first 1,200 build the base, for questions in the order of time. `any` (default): drawn like the rest. */
  base?: 'oldest' | 'any';
  /** Ask fewer than 6,000 before the cycle, for scenarios that want little to learn from. */
  atMostBefore?: number;
}

/**
 * Deals the questions out, shuffled by the seed. Of 10,003 questions 1,200 build the base, 400 are golden, 6,000 are
 * asked before the cycle and 2,403 are left for experiment and bake; of fewer, 5 of 7 after base and golden are asked
 * before. A text that occurs more than once goes to the live part with all its copies, as long as there are enough
 * others; else one copy stays and the others are dropped.
 *
 * @throws RangeError when fewer than 3,600 texts are different
 */
export function splitQuestions(
  questions: readonly Question[],
  seed: number,
  options: SplitOptions = {},
): QuestionSplit {
  const { base: from = 'any', atMostBefore = PARTS.asked } = options;
  const random = createRandom(seed, 'split');
  const texts = [...byText(questions).values()];
  if (texts.length < LEAST_QUESTIONS) {
    throw new RangeError(`${texts.length} different questions; at least ${LEAST_QUESTIONS} are needed`);
  }
  const oldest = from === 'oldest' ? texts.slice(0, PARTS.base) : [];
  const others = random.shuffle(texts.slice(oldest.length));
  const groups = [
    ...oldest,
    ...others.filter((group) => group.length === 1),
    ...others.filter((group) => group.length > 1),
  ];
  let at = 0;
  const deal = (count: number) => {
    const part = groups.slice(at, at + count);
    at += part.length;
    return part;
  };
  const one = (group: readonly Question[]) => group[0] as Question;
  const base = deal(PARTS.base).map(one);
  const golden = deal(PARTS.golden).map(one);
  const share = Math.floor(((questions.length - PARTS.base - PARTS.golden) * 5) / 7);
  const before = deal(Math.min(atMostBefore, PARTS.asked, share, groups.length - at - PARTS.leastRest)).map(one);
  const live = random.shuffle(deal(groups.length).flat());
  return { base, golden, before, live };
}

function byText(questions: readonly Question[]): Map<string, Question[]> {
  const copies = new Map<string, Question[]>();
  for (const question of questions) {
    const key = normalised(question.text);
    const found = copies.get(key);
    if (found) found.push(question);
    else copies.set(key, [question]);
  }
  return copies;
}
