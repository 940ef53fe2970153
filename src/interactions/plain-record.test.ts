import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPlainRecord } from './plain-record.js';
import { interactionRecord } from './record.js';

const record = {
  external_id: 'a-17',
  timestamp: '2026-11-01T12:00:00.000Z',
  model: 'support-router',
  subject: 'user-17',
  session: 's-9',
  request: { messages: [{ role: 'user', content: 'x' }], temperature: 0.2 },
  response: { id: 'c', choices: [{ index: 0, message: { role: 'assistant', content: 'y' } }] },
  version: 2,
  latency_ms: 41.5,
  tags: { locale: 'en' },
};

/** Values at and beside the edges of what the schema takes, each for the field it is most likely to mislead. */
const odd: Record<string, unknown[]> = {
  id: [
    '0190a5d0-7000-7abc-8def-0123456789ab',
    '0190A5D0-7000-7ABC-BDEF-0123456789AB',
    '0190a5d0-7000-4abc-8def-0123456789ab',
    '',
  ],
  external_id: ['', 'x'.repeat(512), 'x'.repeat(513), 'a\0b', '\ud800', '😀', 7, ' '],
  timestamp: [
    '2026-11-01T12:00:00Z',
    '2026-11-01T12:00:00.5Z',
    '2026-11-01T12:00:00.123456Z',
    '2026-11-01T12:00:00+02:00',
    '2026-11-01T12:00Z',
    '2026-11-01 12:00:00Z',
    '2026-02-29T12:00:00Z',
    '2028-02-29T12:00:00.000Z',
    '2026-11-01T24:00:00Z',
    '2026-11-01T23:59:60Z',
    '1969-12-31T23:59:59.999Z',
    '1970-01-01T00:00:00.000Z',
    '9999-12-31T23:59:59.999Z',
    '+12026-11-01T12:00:00Z',
    '+012026-11-01T12:00Z',
    '2026-11-01T12:00:00x',
    'Sun Nov 01 2026 1200',
    '2026-11-01t12:00:00z',
    0,
  ],
  model: ['', 'UPPER', 'x'.repeat(64), 'x'.repeat(65), 'a b', 'a\n'],
  subject: ['', 'x'.repeat(1_024), 'x'.repeat(1_025), '\0', '\ud800', 1],
  session: ['', 'x'.repeat(513), 'a\0'],
  request: [
    null,
    {},
    { messages: [] },
    { messages: [{}] },
    { messages: [{ role: 1 }] },
    { messages: [{ role: '' }, null] },
    { messages: [[]] },
    { messages: { 0: { role: 'user' }, length: 1 } },
    [],
    JSON.parse('{"messages":[{"role":"user"}],"__proto__":{"a":1}}'),
    JSON.parse('{"messages":[{"role":"user","__proto__":{"a":1}}]}'),
    JSON.parse('{"messages":[{"role":"user","content":{"__proto__":1}}],"constructor":1}'),
  ],
  response: [
    null,
    {},
    { choices: [] },
    { choices: [null] },
    { choices: [1] },
    { choices: [[]] },
    'x',
    JSON.parse('{"choices":[{"__proto__":1}]}'),
  ],
  version: [0, 1, 1.5, 2_147_483_647, 2_147_483_648, '1', -1],
  latency_ms: [0, -0, -1, 2_147_483_647, 2_147_483_648, 1e300, '1'],
  tags: [
    {},
    { 'understudy.x': '1' },
    { understudy: '1' },
    { a: 1 },
    { '': 'x' },
    { a: 'x'.repeat(1_025) },
    { ['k'.repeat(129)]: 'x' },
    { 'a\0': 'x' },
    [],
    JSON.parse('{"__proto__":"x"}'),
    Object.fromEntries(Array.from({ length: 64 }, (_, n) => [`t${n}`, ''])),
    Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`t${n}`, ''])),
  ],
  feedback: [[], [{ kind: 'thumbs', value: 1 }], {}],
  arm: ['challenger', null],
  constructor: [1],
};
const field = fc
  .constantFrom(...Object.keys(odd))
  .chain((name) =>
    fc
      .oneof(
        { weight: 4, arbitrary: fc.constantFrom(...(odd[name] as [unknown])) },
        { weight: 1, arbitrary: fc.constantFrom(null, undefined, true, 0, '', [], {}) },
        { weight: 1, arbitrary: fc.jsonValue({ stringUnit: 'binary' }) },
      )
      .map((value) => [name, value] as const),
  );

describe('isPlainRecord', () => {
  it('never accepts what the schema refuses or changes', () => {
    let accepted = 0;
    fc.assert(
      fc.property(
        fc.array(field, { maxLength: 3 }),
        fc.subarray(Object.keys(record), { minLength: 6 }),
        (changes, kept) => {
          const base = Object.entries(record).filter(([name]) => kept.includes(name));
          const item = Object.fromEntries([...base, ...changes]);
          if (!isPlainRecord(item)) return;
          accepted += 1;
          const parsed = interactionRecord.safeParse(item);
          expect(parsed.error).toBeUndefined();
          expect(parsed.data).toEqual(item);
          expect(Object.keys(parsed.data ?? {}).sort()).toEqual(Object.keys(item).sort());
        },
      ),
      { numRuns: 5_000 },
    );
    expect(accepted).toBeGreaterThan(200);
  });

  it('accepts the common shapes, so that they are quick', () => {
    const { external_id: _, ...rest } = record;
    const common = [
      record,
      { ...record, timestamp: '2026-11-01T12:00:00Z' },
      { ...rest, id: '0190a5d0-7000-7abc-8def-0123456789ab' },
      { ...record, response: null, subject: null, tags: null, feedback: null },
      { external_id: 'x', timestamp: record.timestamp, model: 'm', request: record.request },
    ];
    expect(common.map(isPlainRecord)).toEqual(common.map(() => true));
  });

  it('leaves values that no JSON has to the schema', () => {
    for (const item of [
      null,
      'text',
      [],
      Object.create(record),
      { ...record, request: new (class extends Object {})() },
    ]) {
      expect(isPlainRecord(item)).toBe(false);
    }
  });
});
