import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalised } from '#setup/demo-data.mjs';
import { generateQuestions, type Question } from './questions.js';
import { type QuestionSplit, splitQuestions } from './split.js';

const numbered = (count: number): Question[] =>
  Array.from({ length: count }, (_, n) => ({ text: `question ${n}`, intent: n % 2 ? 'odd' : 'even' }));
const sizes = ({ base, golden, before, live }: QuestionSplit) => [base, golden, before, live].map((p) => p.length);

/** The number of texts that occur in more than one part. */
function shared(split: QuestionSplit): number {
  const parts = Object.values(split).map((part: Question[]) => new Set(part.map(({ text }) => normalised(text))));
  const everything = parts.flatMap((part) => [...part]);
  return everything.length - new Set(everything).size;
}

describe('splitQuestions', () => {
  it('deals 10,003 questions out as 1,200, 400, 6,000 and 2,403', () => {
    const split = splitQuestions(numbered(10_003), 7);
    expect(sizes(split)).toEqual([1200, 400, 6000, 2403]);
    expect(shared(split)).toBe(0);
  });

  it('keeps sizes and loses no row when some texts are repeated, and never splits copies', () => {
    const questions = numbered(9_950);
    for (let n = 0; n < 53; n++) questions.push({ text: `Question  ${n}?`, intent: 'other' });
    const split = splitQuestions(questions, 7);
    expect(sizes(split)).toEqual([1200, 400, 6000, 2403]);
    expect(shared(split)).toBe(0);
  });

  it('shares fewer questions out in proportion, down to the least', () => {
    expect(sizes(splitQuestions(numbered(3_600), 1))).toEqual([1200, 400, 1428, 572]);
    expect(() => splitQuestions(numbered(3_599), 1)).toThrow('3599 different questions; at least 3600 are needed');
  });

  it('builds the base of the oldest questions when they come in the order of time', () => {
    const questions = generateQuestions(7, 5_000);
    const split = splitQuestions(questions, 7, { base: 'oldest', atMostBefore: 500 });
    expect(split.base).toEqual(questions.slice(0, 1200));
    expect(sizes(split)).toEqual([1200, 400, 500, 2900]);
    expect(shared(split)).toBe(0);
  });

  it('gives the same parts for the same seed and others for another', () => {
    expect(splitQuestions(numbered(4_000), 7)).toEqual(splitQuestions(numbered(4_000), 7));
    expect(splitQuestions(numbered(4_000), 7).base).not.toEqual(splitQuestions(numbered(4_000), 8).base);
  });

  it('never has a text in two parts, however many copies there are', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 3600, max: 5000 }),
        fc.integer({ min: 0, max: 6000 }),
        fc.nat(),
        (n, copies, seed) => {
          const questions = numbered(n);
          for (let i = 0; i < copies; i++) questions.push({ text: `QUESTION ${(i * 7) % n}`, intent: 'copy' });
          const split = splitQuestions(questions, seed);
          expect(shared(split)).toBe(0);
          expect(split.base).toHaveLength(1200);
          expect(split.golden).toHaveLength(400);
          expect(split.before.length).toBeGreaterThanOrEqual(1400);
          expect(split.live.length).toBeGreaterThanOrEqual(500);
        },
      ),
      { numRuns: 25 },
    );
  });
});
