import { expect, it } from 'vitest';
import { refusalOfJson, SHORT_BYTES } from './json-body.js';

const refused = (value: unknown) => refusalOfJson(Buffer.from(JSON.stringify(value)))?.message ?? null;
const members = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`, member "${n}" {[`, n]));

it('takes objects of 20,000 members, in each other and beside each other, and none of more', () => {
  expect(refused(members(20_000))).toBeNull();
  expect(refused([members(20_000), { ...members(19_999), inner: members(20_000) }])).toBeNull();
  expect(refused(members(20_001))).toMatch('an object of the body has more than 20000 members');
  expect(refused([[{ inner: [members(20_001)] }]])).toMatch('more than 20000 members');
});

it('takes lists as long as they are, and long lists of objects', () => {
  expect(refused(Array.from({ length: 100_000 }, (_, n) => n))).toBeNull();
  expect(refused(Array.from({ length: 50_000 }, (_, n) => ({ a: [n, n], b: { c: n } })))).toBeNull();
});

it('refuses a thousand levels and one, of what is long enough to take its time', () => {
  const nested = (levels: number) => Buffer.from('['.repeat(levels) + '1,'.repeat(SHORT_BYTES) + ']'.repeat(levels));
  expect(refusalOfJson(nested(1_000))).toBeNull();
  expect(refusalOfJson(nested(1_001))?.message).toMatch('nested deeper than 1000 levels');
  expect(refusalOfJson(Buffer.from('['.repeat(2_000)))).toBeNull();
});

it('has an answer for what is no JSON at all', () => {
  for (const text of [',', ']', '}', '"', '\\', ']}{,"']) {
    expect(refusalOfJson(Buffer.from(text.repeat(SHORT_BYTES)))).toBeNull();
  }
});
