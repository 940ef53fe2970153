import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Recent } from './recent.js';

it('remembers as many as it was told and no more than twice as many, those last used', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 200 }), fc.integer({ min: 1, max: 6 }), (keys, kept) => {
      const recent = new Recent<number>({ kept });
      const used: string[] = [];
      for (const [n, key] of keys.entries()) {
        const before = recent.get(`${key}`);
        const last = used.lastIndexOf(`${key}`);
        const since = new Set(used.slice(last + 1));
        if (last !== -1 && since.size < kept) expect(before).toBeDefined();
        if (last === -1 || since.size >= 2 * kept) expect(before).toBeUndefined();
        recent.set(`${key}`, n);
        used.push(`${key}`);
      }
    }),
  );
});

it('forgets in its time, whether it is asked or not, and what is used stays', () => {
  let now = 0;
  const recent = new Recent<string>({ kept: 10, forMs: 100, clock: () => now });
  for (const key of ['asked', 'used', 'left']) recent.set(key, key);
  now = 99;
  expect(recent.has('left')).toBe(true);
  now = 150;
  expect([recent.has('asked'), recent.get('used')]).toEqual([true, 'used']);
  now = 251;
  expect([recent.has('asked'), recent.has('used'), recent.has('left')]).toEqual([false, true, false]);
  now = 10_000;
  expect(recent.has('used')).toBe(false);
});

it('says what it forgets, each once, and nothing that was taken out', () => {
  const forgotten: string[] = [];
  const recent = new Recent<string>({ kept: 2, onForgotten: (value) => forgotten.push(value) });
  for (const key of ['a', 'b', 'c']) recent.set(key, key);
  recent.get('a');
  recent.delete('b');
  for (const key of ['d', 'e', 'f', 'g']) recent.set(key, key);
  expect(forgotten).toEqual(['c', 'a']);
});
