import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { noRedactions, redact } from './redact.js';

describe('replaces', () => {
  test.each([
    ['write to a.b+c@mail.example.org, thanks', 'write to [EMAIL], thanks'],
    ['jürgen@müller.de', '[EMAIL]'],
    ['call 1-800-555-0199 now', 'call [PHONE] now'],
    ['My number is 555-123-4567.', 'My number is [PHONE].'],
    ['(555) 123-4567 or +1 (415) 555-2671 ext. 12', '[PHONE] or [PHONE]'],
    ['tel:+14155552671', 'tel:[PHONE]'],
    ['+49 30 901820, 0171/1234567, 020 7946 0958', '[PHONE], [PHONE], [PHONE]'],
    ['00 44 20 7946 0958', '[PHONE]'],
    ['my phone: 5551234', 'my phone: [PHONE]'],
    ['card 4111 1111 1111 1111, 4111-1111-1111-1111, 378282246310005', 'card [CARD], [CARD], [CARD]'],
    ['my ssn is 078-05-1120 (078 05 1120)', 'my ssn is [SSN] ([SSN])'],
    ['SSN: 078051120', 'SSN: [SSN]'],
    ['http://10.0.0.1:8080/x and 8.8.8.8.', 'http://[IP]:8080/x and [IP].'],
    ['::1, fe80::1, 2001:db8::8a2e:370:7334 and ::ffff:192.0.2.128', '[IP], [IP], [IP] and [IP]'],
  ])('%j', (text, expected) => {
    expect(redact(text)).toBe(expected);
  });
});

describe('leaves alone', () => {
  test.each([
    'order 4155552671 is late',
    'invoice 2024-000123, order #12345678',
    'it costs 1,234,567.89 or 1.234.567 or 10 000 000',
    'at 2024-11-20 10:00 or 20.11.2024 or 8/5/1989',
    'between 2019-2024',
    'pi is 3.14159265',
    'version v1.2.3.4 and 192.168.0.256',
    'std::vector a::b at 12:30:45',
    'card 4111111111111112 has a wrong checksum',
    'IBAN DE89 3704 0044 0532 0130 00',
    '123e4567-e89b-12d3-a456-426614174000',
    'ISBN 978-3-16-148410-0',
    'count 1 2 3 4 5 6 7 8',
    'timestamp 1700000000 or 1732104000000',
    'zip 12345-6789',
    'an @ sign, and me@home',
  ])('%j', (text) => {
    expect(redact(text)).toBe(text);
  });
});

test('counts what it replaced, by kind', () => {
  const counts = noRedactions();
  redact('a@b.co and c@d.org from 10.1.2.3', counts);
  expect(counts).toEqual({ EMAIL: 2, PHONE: 0, CARD: 0, SSN: 0, IP: 1 });
});

test('lets nothing planted among words through, and nothing else goes', () => {
  const words = fc.stringMatching(/^[a-z]{1,8}( [a-z]{1,8}){0,4}$/);
  const planted = fc.oneof(
    fc
      .tuple(fc.emailAddress(), fc.constant('[EMAIL]'))
      .filter(([email]) => /^[\w.%+'-]+@[\w.-]+\.[a-z]{2,24}$/i.test(email)),
    fc.tuple(fc.ipV4(), fc.constant('[IP]')),
    fc.tuple(fc.ipV6(), fc.constant('[IP]')).filter(([address]) => /\d/.test(address)),
    fc.tuple(fc.stringMatching(/^[1-8]\d\d-\d\d-\d{4}$/), fc.constant('[SSN]')),
    fc.tuple(fc.stringMatching(/^\([2-9]\d\d\) [2-9]\d\d-\d{4}$/), fc.constant('[PHONE]')),
    fc.tuple(fc.stringMatching(/^4\d{14}$/).map(withChecksum), fc.constant('[CARD]')),
  );
  fc.assert(
    fc.property(words, planted, words, (before, [text, placeholder], after) => {
      expect(redact(`${before} ${text} ${after}`)).toBe(`${before} ${placeholder} ${after}`);
    }),
    { numRuns: 3_000 },
  );
});

/** Appends the Luhn digit. */
function withChecksum(digits: string): string {
  const sum = [...digits].reverse().reduce((total, digit, i) => {
    const doubled = i % 2 === 0 ? Number(digit) * 2 : Number(digit);
    return total + (doubled > 9 ? doubled - 9 : doubled);
  }, 0);
  return `${digits}${(10 - (sum % 10)) % 10}`;
}

test('takes time in proportion to the text, whatever the text', () => {
  const hostile = ['1', '1 ', 'a', '1:', '(1)', '1.1.', 'a.', 'a@a.', '1-', 'call ', '+1 '];
  for (const piece of hostile) {
    const text = piece.repeat(200_000 / piece.length);
    const startedAt = performance.now();
    redact(`${text}@`);
    expect(performance.now() - startedAt, JSON.stringify(piece)).toBeLessThan(2_000);
  }
});
