import { describe, expect, it } from 'vitest';
import { normalised, PARTS } from '#setup/demo-data.mjs';
import { generateQuestions, INTENT_LABELS } from './questions.js';
import { GENERATED_QUESTIONS } from './split.js';

const questions = generateQuestions(7, GENERATED_QUESTIONS);

describe('generateQuestions', () => {
  it('knows at least 40 intents with distinct labels in snake case', () => {
    expect(INTENT_LABELS.length).toBeGreaterThanOrEqual(40);
    expect(new Set(INTENT_LABELS).size).toBe(INTENT_LABELS.length);
    for (const label of INTENT_LABELS) expect(label).toMatch(/^[a-z]+(_[a-z]+)*$/);
  });

  it('gives as many questions as the demo wants, no two alike, whatever the seed', () => {
    for (const list of [questions, generateQuestions(0, GENERATED_QUESTIONS), generateQuestions(2 ** 31 - 1, 16_000)]) {
      expect(list).toHaveLength(16_000);
      expect(new Set(list.map(({ text }) => normalised(text))).size).toBe(16_000);
    }
  });

  it('repeats itself for a seed and begins a longer list with the shorter one', () => {
    expect(generateQuestions(7, 500)).toEqual(questions.slice(0, 500));
    expect(generateQuestions(8, 500)).not.toEqual(questions.slice(0, 500));
  });

  it('asks about every intent often enough to learn it, in base and afterwards', () => {
    for (const part of [questions.slice(0, PARTS.base), questions.slice(PARTS.base)]) {
      const fair = part.length / INTENT_LABELS.length;
      for (const label of INTENT_LABELS) {
        const asked = part.filter(({ intent }) => intent === label).length;
        expect(asked).toBeGreaterThan(fair / 3);
        expect(asked).toBeLessThan(fair * 2);
      }
    }
  });

  it('keeps questions short, without anything left of the grammar', () => {
    for (const { text } of questions) {
      expect(text).not.toMatch(/[[\](){}|]| {2}/);
      expect(text.split(' ').length).toBeLessThanOrEqual(40);
    }
    const words = questions.reduce((sum, { text }) => sum + text.split(' ').length, 0) / questions.length;
    expect(words).toBeLessThan(16);
  });

  it('gives redaction something to find, and only in ranges kept for examples', () => {
    const emails = questions.flatMap(({ text }) => text.match(/\S+@\S+/g) ?? []);
    const phones = questions.flatMap(({ text }) => text.match(/\b\d{3}-\d{3}-\d{4}\b/g) ?? []);
    expect(emails.length).toBeGreaterThan(100);
    expect(phones.length).toBeGreaterThan(100);
    for (const email of emails) expect(email).toMatch(/@(mail\.example|example\.(com|org))[?!.,]*$/);
    for (const phone of phones) expect(phone).toMatch(/^\d{3}-555-01\d\d$/);
  });

  it('uses wording after the base that was rare in it', () => {
    const share = (part: typeof questions, wording: RegExp) =>
      part.filter(({ text }) => wording.test(text)).length /
      part.filter(({ intent }) => intent === 'item_wrong').length;
    const wording = /contains (someone elses|a different)|i asked for/;
    expect(share(questions.slice(PARTS.base), wording)).toBeGreaterThan(
      2 * share(questions.slice(0, PARTS.base), wording),
    );
  });
});
