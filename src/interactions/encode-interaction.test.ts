import fc from 'fast-check';
import { expect, it } from 'vitest';
import { recordDigest } from './digest.js';
import { encodeInteraction, type SaidOfInteraction } from './encode-interaction.js';
import { storableJson } from './storable-json.js';

const text = fc.string({ unit: 'binary' });
const body = fc
  .dictionary(text, fc.jsonValue({ stringUnit: 'binary', maxDepth: 2 }))
  .map((value) => JSON.parse(JSON.stringify(value)) as Record<string, unknown>);
const optional = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: null });
const said: fc.Arbitrary<SaidOfInteraction> = fc.record({
  id: fc.uuid(),
  externalId: optional(text),
  timestamp: fc.date({ noInvalidDate: true, min: new Date(0) }).map((date) => date.toISOString()),
  model: fc.stringMatching(/^[a-z0-9._-]{1,64}$/),
  subject: optional(fc.stringMatching(/^[0-9a-f]{64}$/)),
  session: optional(text),
  version: optional(fc.nat()),
  latencyMs: optional(fc.double({ min: 0, max: 1e9, noNaN: true })),
  request: body,
  response: optional(body),
  tags: fc.dictionary(text, text).map((tags) => JSON.parse(JSON.stringify(tags)) as Record<string, string>),
  feedback: fc.array(fc.stringMatching(/^[0-9a-f]{64}$/), { maxLength: 3 }),
});

it('has the digest of the record that says the same, and its parts as they are stored', () => {
  fc.assert(
    fc.property(said, (item) => {
      const { externalId, latencyMs, tags, feedback, ...same } = item;
      const { digest, ...parts } = encodeInteraction(item);
      const record = {
        ...same,
        external_id: externalId,
        latency_ms: latencyMs,
        tags: Object.keys(tags).length === 0 ? null : tags,
        feedback: feedback.length === 0 ? null : feedback,
      };
      expect(digest.equals(recordDigest(record))).toBe(true);
      expect(parts.request.toString()).toBe(storableJson(item.request));
      expect(parts.response?.toString() ?? null).toBe(item.response === null ? null : storableJson(item.response));
      expect(parts.tags.toString()).toBe(storableJson(tags));
    }),
    { numRuns: 500 },
  );
});

it('takes what is larger than any before', () => {
  const [item] = fc.sample(said, { numRuns: 1, seed: 1 });
  const request = { messages: [{ role: 'user', content: '“'.repeat(400_000) }] };
  const large = encodeInteraction({ ...item!, request });
  expect(large.request.toString()).toBe(storableJson(request));
  expect(encodeInteraction(item!).request.toString()).toBe(storableJson(item!.request));
});
