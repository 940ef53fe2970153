import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFeedbackTokens } from './feedback-token.js';

const KEY = 'subject-key-of-the-tests';
const CLAIM = { interaction: '0190a5d4-7a6b-7c3d-8e9f-0a1b2c3d4e5f', model: 'support-router' };
const NOW = Date.UTC(2026, 10, 21);
const tokens = (key = KEY, now = NOW) => createFeedbackTokens(key, () => now);
const bearer = (token: string) => `Bearer ${token}`;
const make = (expiresAt = NOW + 60_000) => tokens().make(CLAIM, expiresAt);
const refusal = expect.objectContaining({ code: 'feedback_token_refused', status: 401 });

describe('a feedback token', () => {
  it('says which interaction of which model it is for, whatever they are', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.stringMatching(/^[a-z0-9._-]{1,64}$/), (interaction, model) => {
        const token = tokens().make({ interaction, model }, NOW + 1_000);
        expect(token).toMatch(/^usft_[A-Za-z0-9_-]+$/);
        expect(token.length).toBeLessThan(145);
        expect(tokens().claimOf(bearer(token))).toEqual({ interaction, model });
      }),
    );
  });

  it('is good until it expires', () => {
    const token = bearer(make(NOW + 10_000));
    expect(tokens(KEY, NOW + 9_999).claimOf(token)).toEqual(CLAIM);
    expect(() => tokens(KEY, NOW + 10_000).claimOf(token)).toThrow(refusal);
    expect(() => tokens(KEY, NOW + 10_000).claimOf(token)).toThrow('has expired');
  });

  it('with any character changed, added or taken away is refused', () => {
    const token = make();
    for (let at = 5; at < token.length; at++) {
      for (const char of ['A', 'B', '_', '9']) {
        if (token[at] === char) continue;
        const changed = token.slice(0, at) + char + token.slice(at + 1);
        expect(() => tokens().claimOf(bearer(changed)), `${at}`).toThrow(refusal);
      }
    }
    for (const wrong of [token.slice(0, -1), `${token}A`, 'usft_', `usft_${'A'.repeat(60)}`, token.slice(0, 40)]) {
      expect(() => tokens().claimOf(bearer(wrong))).toThrow(refusal);
    }
  });

  it('of another deployment is refused, and so is one signed with the subject key itself', () => {
    expect(() => tokens('another-key-of-the-tests').claimOf(bearer(make()))).toThrow(refusal);
    const payload = Buffer.from(make().slice(5, -22), 'base64url');
    const mac = createHmac('sha256', KEY).update(payload).digest('base64url').slice(0, 22);
    expect(() => tokens().claimOf(bearer(`usft_${payload.toString('base64url')}${mac}`))).toThrow(refusal);
  });

  it('is told from everything else that may stand in the header', () => {
    for (const header of [undefined, '', 'Basic usft_x', `Bearer us_${'A'.repeat(43)}`, make()]) {
      expect(tokens().claimOf(header)).toBeUndefined();
    }
    expect(tokens().claimOf(`bearer  ${make()} `)).toEqual(CLAIM);
  });
});
