import { describe, expect, it } from 'vitest';
import { inTurns } from './in-turns.js';
import { redact } from './redact.js';
import { redactJson } from './redact-json.js';
import { redactText } from './redact-text.js';

const json = (value: unknown) => inTurns(redactJson(value));
const text = (value: string) => inTurns(redactText(value));

describe('a body', () => {
  it('loses personal data wherever somebody wrote, and keeps the names of the protocol', async () => {
    const request = {
      model: 'support',
      messages: [
        { role: 'system', content: 'Answer jane@example.org' },
        { role: 'user', content: [{ type: 'text', text: 'call 555-123-4567' }] },
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'call_5551234567', type: 'function', function: { name: 'find', arguments: '{"a":1}' } }],
        },
        { role: 'tool', tool_call_id: 'call_5551234567', content: '{"mail":"jane@example.org"}' },
      ],
      temperature: 0.5,
      seed: 5_551_234_567,
      metadata: { note: 'from 10.1.2.3' },
      stop: null,
    };
    const before = structuredClone(request);
    expect(await json(request)).toEqual({
      ...request,
      messages: [
        { role: 'system', content: 'Answer [EMAIL]' },
        { role: 'user', content: [{ type: 'text', text: 'call [PHONE]' }] },
        request.messages[2],
        { role: 'tool', tool_call_id: 'call_5551234567', content: '{"mail":"[EMAIL]"}' },
      ],
      metadata: { note: 'from [IP]' },
    });
    expect(request).toEqual(before);
  });

  it('keeps pictures and sound, and loses log probabilities, which hold the text in pieces', async () => {
    const url = `data:image/png;base64,${'+4155552671/'.repeat(100)}`;
    const data = '555/1234567+'.repeat(100);
    const part = [{ type: 'image_url', image_url: { url } }, { input_audio: { data } }];
    expect(await json(part)).toEqual(part);
    const choice = { index: 0, logprobs: { content: [{ token: '555' }, { token: '-1234567' }] } };
    expect(await json(choice)).toEqual({ index: 0, logprobs: null });
  });

  it('does not hide behind a name of the protocol, nor behind depth', async () => {
    expect(await json({ id: 'jane@example.org', role: 'my ssn is 078-05-1120' })).toEqual({
      id: '[EMAIL]',
      role: 'my ssn is [SSN]',
    });
    let deep: unknown = 'jane@example.org';
    for (let n = 0; n < 20_000; n++) deep = [deep];
    expect(JSON.stringify(await json(deep))).not.toContain('jane');
    const own = JSON.parse('{"__proto__":"jane@example.org"}') as object;
    expect(JSON.stringify(await json(own))).toBe('{"__proto__":"[EMAIL]"}');
  });
});

describe('a text that is JSON', () => {
  it.each([
    ['{"card": 4111111111111111, "n": 1.0}', '{"card": "[CARD]", "n": 1.0}'],
    ['{"phone":4155552671,"big":12345678901234567890123}', '{"phone":"[PHONE]","big":12345678901234567890123}'],
    ['{"note":"line\\n555-123-4567"}', '{"note":"line\\n[PHONE]"}'],
    ['{"ssn": 178051120}', '{"ssn": "[SSN]"}'],
    ['["\\u0061@example.org"]', '["[EMAIL]"]'],
    [' {"a" : "nothing"} ', ' {"a" : "nothing"} '],
  ])('%s', async (given, expected) => {
    expect(await text(given)).toBe(expected);
  });
});

describe('a long text', () => {
  const sentence = 'Hello, I am Jane, order 12345 of 2024-11-20, mail jane@example.org or call 555-123-4567 today. ';

  it('is redacted as it would be in one go', async () => {
    const long = sentence.repeat(2_000) + 'word '.repeat(8_000) + sentence;
    expect(await text(long)).toBe(redact(long));
    const lines = '4155552671\n'.repeat(10_000);
    expect(await text(lines)).toBe(redact(lines));
  });

  it('lets everything else go on meanwhile, also when several are redacted', async () => {
    const long = sentence.repeat(10_000);
    let longest = 0;
    let last = performance.now();
    let turns = 0;
    let over = false;
    const turn = () => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
      turns += 1;
      if (!over) setImmediate(turn);
    };
    setImmediate(turn);
    await Promise.all([text(long), text(long), json({ messages: [{ content: long }] })]);
    over = true;
    expect(turns).toBeGreaterThan(20);
    // A stretch takes some 5 ms; the machine may do other things as well.
    expect(longest).toBeLessThan(500);
  });
});
