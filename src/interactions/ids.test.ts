import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { parse, version } from 'uuid';
import { describe, expect, it } from 'vitest';
import { deriveFeedbackId, deriveInteractionId, newId } from './ids.js';

const instant = fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true });
const timeOf = (id: string) => Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);

describe('deriveInteractionId', () => {
  it('is a UUIDv7 of the timestamp, and the same for the same model, instant and external_id', () => {
    fc.assert(
      fc.property(instant, fc.string(), fc.string(), (at, model, externalId) => {
        const id = deriveInteractionId(model, at, externalId);
        expect(version(id)).toBe(7);
        expect(timeOf(id)).toBe(at.getTime());
        expect(deriveInteractionId(model, new Date(at), externalId)).toBe(id);
        expect(deriveInteractionId(`${model}x`, at, externalId)).not.toBe(id);
      }),
    );
  });

  it('has the first free bits of SHA-256(model, timestamp, external_id)', () => {
    const id = deriveInteractionId('support-router', new Date('2026-11-01T12:00:00Z'), 'a-17');
    const hash = createHash('sha256')
      .update('support-router\0' + '2026-11-01T12:00:00.000Z\0' + 'a-17')
      .digest();
    const bytes = parse(id);
    expect(bytes[6]! & 0x0f).toBe(hash[0]! & 0x0f);
    expect(bytes[8]! & 0x3f).toBe(hash[2]! & 0x3f);
    expect(Buffer.from(bytes.subarray(9))).toEqual(hash.subarray(3, 10));
  });
});

describe('deriveFeedbackId', () => {
  it('shares the time of its interaction and grows with the position', () => {
    fc.assert(
      fc.property(instant, fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.nat(4_094), (at, digest, position) => {
        const interaction = newId(at);
        const id = deriveFeedbackId(interaction, position, Buffer.from(digest));
        expect(version(id)).toBe(7);
        expect(timeOf(id)).toBe(timeOf(interaction));
        expect(deriveFeedbackId(interaction, position + 1, Buffer.from(digest)) > id).toBe(true);
        expect(deriveFeedbackId(interaction, position, Buffer.from(digest))).toBe(id);
      }),
    );
  });
});
