import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rowsOfRecord } from './interaction-row.js';
import { interactionRecord } from './record.js';

const record = {
  external_id: 'a-17',
  timestamp: '2026-11-01T12:00:00Z',
  model: 'support-router',
  subject: 'user-17',
  request: { messages: [{ role: 'user', content: 'x', extra: { b: 1, a: [{ d: 1, c: 2 }] } }], seed: 1 },
  response: { choices: [{ index: 0, message: { role: 'assistant', content: 'y' } }] },
  tags: { b: '1', a: '2' },
  feedback: [{ kind: 'rating', value: 4, min: 1, max: 5, timestamp: '2026-11-01T13:00:00Z' }],
};
const rows = (value: unknown) => rowsOfRecord('k', interactionRecord.parse(value));

/** The same value with the keys of every object in another order. */
function shuffled(value: unknown, random: () => number): unknown {
  if (Array.isArray(value)) return value.map((item) => shuffled(item, random));
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).map(([key, inner]) => ({ key, inner: shuffled(inner, random), at: random() }));
  return Object.fromEntries(entries.sort((a, b) => a.at - b.at).map(({ key, inner }) => [key, inner]));
}

describe('the digest of a record', () => {
  it('does not depend on key order, the spelling of timestamps, or optional fields given as null', () => {
    const expected = rows(record).interaction;
    fc.assert(
      fc.property(
        fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
        fc.constantFrom(
          '2026-11-01T12:00:00Z',
          '2026-11-01T12:00:00.000Z',
          '2026-11-01T14:00:00+02:00',
          '2026-11-01T07:30:00.0-04:30',
        ),
        fc.constantFrom('2026-11-01T13:00:00Z', '2026-11-01T14:00:00.000+01:00'),
        (order, timestamp, given) => {
          const feedback = [{ ...record.feedback[0], timestamp: given, source: 'user', choice_index: 0 }];
          const respelled = { ...record, timestamp, feedback, session: null, version: null };
          const { interaction } = rows(shuffled(respelled, () => order.next().value ?? 0));
          expect(interaction.id).toBe(expected.id);
          expect(interaction.digest.equals(expected.digest)).toBe(true);
        },
      ),
    );
  });

  it('depends on everything that was said', () => {
    const changes = [
      { subject: 'user-18' },
      { session: 's' },
      { version: 2 },
      { latency_ms: 3 },
      { tags: { b: '1' } },
      { request: { ...record.request, seed: 2 } },
      { response: undefined },
      { feedback: [] },
      { feedback: [{ ...record.feedback[0], value: 3 }] },
    ];
    const digests = [{}, ...changes].map((change) => rows({ ...record, ...change }).interaction.digest.toString('hex'));
    expect(new Set(digests).size).toBe(changes.length + 1);
  });
});
