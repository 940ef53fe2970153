import { describe, expect, it } from 'vitest';
import { hashSubject, hideSubjects } from './subject.js';

describe('hashSubject', () => {
  it('is HMAC-SHA-256 in hex', () => {
    // RFC 4231, test case 2
    expect(hashSubject('Jefe', 'what do ya want for nothing?')).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    );
  });
});

describe('hideSubjects', () => {
  it('replaces every subject a body names and nothing else', () => {
    const body = {
      user: 'ada',
      safety_identifier: 'a-1',
      metadata: { user_id: 'ada', plan: 'pro' },
      messages: [{ user: 'ada' }],
    };
    expect(hideSubjects('k', body)).toEqual({
      user: hashSubject('k', 'ada'),
      safety_identifier: hashSubject('k', 'a-1'),
      metadata: { user_id: hashSubject('k', 'ada'), plan: 'pro' },
      messages: [{ user: 'ada' }],
    });
    const anonymous = { metadata: 'text', user: '' };
    expect(hideSubjects('k', anonymous)).toBe(anonymous);
  });
});
