import fc from 'fast-check';
import { expect, it } from 'vitest';
import { canonicalJson } from '../policy/index.js';
import { canonicalText } from './canonical-text.js';

const odd = fc.constantFrom(
  '__proto__',
  'constructor',
  '10',
  '9',
  '01',
  '4294967295',
  '',
  'ä',
  '"',
  '\0',
  '\ud800',
  'a.b',
);

it('is the text of canonicalJson, for every JSON value', () => {
  const { json } = fc.letrec<{ json: unknown }>((tie) => ({
    json: fc.oneof(
      { maxDepth: 3 },
      fc.jsonValue({ stringUnit: 'binary', maxDepth: 2 }),
      fc.array(tie('json'), { maxLength: 4 }),
      fc
        .array(fc.tuple(fc.oneof(odd, fc.string({ unit: 'binary' })), tie('json')), { maxLength: 8 })
        .map((entries) => Object.fromEntries(entries)),
    ),
  }));
  fc.assert(
    fc.property(json, (value) => {
      // As the parser makes it: only that is promised.
      const parsed: unknown = JSON.parse(JSON.stringify(value));
      expect(canonicalText(parsed)).toBe(canonicalJson(parsed));
    }),
    { numRuns: 500 },
  );
});

it('leaves out what is undefined, as JSON does', () => {
  expect(canonicalText({ b: undefined, a: [undefined, Number.NaN] })).toBe('{"a":[null,null]}');
});
