import fc from 'fast-check';
import { expect, it } from 'vitest';
import { append, appendDigits, OFFSET } from './fnv1a.js';

it('gives the published values', () => {
  const hashes = ['', 'a', 'foobar'].map((text) => append(OFFSET, text) >>> 0);
  expect(hashes).toEqual([0x811c9dc5, 0xe40c292c, 0xbf9cf968]);
});

it('hashes the digits of a number as its text, at every length and on both sides of every power of ten', () => {
  const edges = Array.from({ length: 10 }, (_, power) => [10 ** power - 1, 10 ** power, 10 ** power + 1]).flat();
  for (const number of [...edges, 2 ** 32 - 1])
    expect([number, appendDigits(OFFSET, number)]).toEqual([number, append(OFFSET, `${number}`)]);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.string(), (number, before) => {
      const hash = append(OFFSET, before);
      expect(appendDigits(hash, number)).toBe(append(hash, `${number}`));
    }),
  );
});
