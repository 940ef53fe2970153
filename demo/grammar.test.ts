import { describe, expect, it } from 'vitest';
import { expand, parsePhrase } from './grammar.js';
import { createRandom } from './random.js';

const all = (source: string, slots = {}) => {
  const random = createRandom(1, source);
  const phrase = parsePhrase(source);
  return [...new Set(Array.from({ length: 300 }, () => expand(phrase, slots, random)))].sort();
};

describe('the grammar', () => {
  it('picks one of several, nested and empty ones included', () => {
    expect(all('(a|b (c|d)|) e')).toEqual(['a e', 'b c e', 'b d e', 'e']);
  });

  it('takes alternatives at the top level and what is optional or leaves it', () => {
    expect(all('x[ y]|z')).toEqual(['x', 'x y', 'z']);
  });

  it('fills slots whose phrases hold grammar themselves', () => {
    expect(all('{one}!', { one: ['{two}', '(p|q)'], two: () => 'deep' })).toEqual(['deep!', 'p!', 'q!']);
  });

  it.each(['(a', 'a)', '[a', 'a]', '{a', 'a}', '{A}', '(a]'])('refuses %s', (source) => {
    expect(() => parsePhrase(source)).toThrow(SyntaxError);
  });

  it('refuses a slot nobody filled', () => {
    expect(() => expand(parsePhrase('{nothing}'), {}, createRandom(1))).toThrow('no slot {nothing}');
  });
});
