import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readChunkLines } from './chunk-lines.js';

const chunk = (choices: unknown[], more: object = {}) =>
  `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":${JSON.stringify(choices)}${Object.entries(
    more,
  )
    .map(([name, value]) => `,${JSON.stringify(name)}:${JSON.stringify(value)}`)
    .join('')}}`;
const piece = (index: number, delta: object, finish_reason: string | null = null) => ({ index, delta, finish_reason });
const events = (...data: string[]) => [...data, '[DONE]'].map((one) => `data: ${one}\n\n`).join('');

function read(text: string | Buffer, cuts: number[] = []) {
  const bytes = Buffer.from(text as string);
  const lines = readChunkLines('our-id');
  const edges = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  const out = edges.slice(1).map((edge, n) => lines.push(Buffer.from(bytes.subarray(edges[n], edge))));
  return { lines, out: Buffer.concat([...out, lines.rest()]) };
}

describe('readChunkLines', () => {
  it('passes on every byte but the ids, wherever the pieces end', () => {
    const text = `: hallo\r\nevent: x\r\ndata:${chunk([piece(0, { content: 'Grüße 🐝' })], { n: 1.5 })}\r\n\r\n${events(
      ` { "id" : "chatcmpl-1", "seed":12345678901234567890, "choices":[] }`,
    )}`;
    const bytes = Buffer.concat([Buffer.from(text), Buffer.from([0x3a, 0xff, 0xfe, 0x0a])]);
    const expected = Buffer.from(bytes.toString('latin1').replaceAll('"chatcmpl-1"', '"our-id"'), 'latin1');
    fc.assert(
      fc.property(fc.array(fc.nat()), (cuts) => {
        const { lines, out } = read(bytes, cuts);
        expect(out.equals(expected)).toBe(true);
        expect(lines.response()).toMatchObject({ choices: [{ message: { content: 'Grüße 🐝' } }] });
      }),
    );
  });

  it('changes the id of every chunk, also where chunks do not begin alike or an id is given twice or is no text', () => {
    const said = (n: number) => `"choices":[{"index":0,"delta":{"content":"${n} "}}]`;
    const data = [
      `{"id":"a",${said(1)}}`,
      `{"id":"a",${said(2)}}`,
      `{"id":"ab",${said(3)}}`,
      `{${said(4)},"id":"a"}`,
      `{"id":1,${said(5)}}`,
      `{"id":12,${said(6)}}`,
      `{"id":"a",${said(7)},"id":"b"}`,
      `{"id":"\\u0061\\"",${said(8)}}`,
      `{"id":"\\u0061\\"",${said(9)}}`,
      `{"id":"a","other":"no choices"}`,
    ];
    const { lines, out } = read(events(...data));
    expect(out.toString().match(/"id":("our-id"|[^,}]*)/g)).toEqual(Array(11).fill('"id":"our-id"'));
    expect(out.toString()).toBe(
      events(...data.map((one) => one.replace(/"id":("(\\.|[^"])*"|\d+)/g, '"id":"our-id"'))),
    );
    expect(lines.response()).toMatchObject({ choices: [{ message: { content: '1 2 3 4 5 6 7 8 9 ' } }] });
  });

  it('keeps the order of what it is told, however much of it is read later', () => {
    const texts = Array.from({ length: 2_000 }, (_, n) => (n % 7 === 0 ? `word ${n} ` : `${n} `));
    const { lines } = read(
      events(
        ...texts.map((content, n) => {
          const whole = chunk([piece(0, { content })]);
          return n % 11 === 0 ? whole.replace('"chatcmpl-1"', `"chatcmpl-${n}"`) : whole;
        }),
      ),
      Array.from({ length: 50 }, (_, n) => n * 997),
    );
    expect(lines.response()).toMatchObject({ choices: [{ message: { content: texts.join('') } }] });
  });

  it('finds nonsense and errors among chunks that begin alike', () => {
    const start = '{"id":"a","choices":[{"index":0,"delta":{"content":"b"}}]';
    expect(read(events(`${start}}`, `${start}}`, start)).lines.defect()).toBe('a chunk that is not a JSON object');
    const { lines } = read(events(`${start}}`, `${start},"error":{"message":"m"}}`));
    expect([lines.toldError(), lines.defect()]).toEqual([true, 'the upstream sent an error']);
  });

  it('puts choices and tool calls together by their index, in order, with the usage', () => {
    const call = (index: number, more: object) => ({ tool_calls: [{ index, ...more }] });
    const { lines } = read(
      events(
        chunk([piece(1, { role: 'assistant', content: null })]),
        chunk([
          piece(0, { role: 'assistant', content: '' }),
          piece(1, call(1, { id: 'b', type: 'function', function: { name: 'g', arguments: '' } })),
        ]),
        chunk([piece(1, call(0, { id: 'a', type: 'function', function: { name: 'f', arguments: '{"x"' } }))]),
        chunk([piece(0, { content: 'one ' }), piece(1, call(0, { function: { arguments: ':1}' } }))]),
        chunk([piece(1, call(1, { function: { arguments: '{}' } }))]),
        chunk([piece(0, { content: 'two' }, 'stop')]),
        chunk([piece(1, {}, 'tool_calls')]),
        chunk([], { usage: { prompt_tokens: 4, completion_tokens: 5 } }),
      ),
    );
    expect(lines.response()).toEqual({
      id: 'our-id',
      upstream_id: 'chatcmpl-1',
      object: 'chat.completion',
      created: 1,
      model: 'm',
      choices: [
        { index: 0, message: { role: 'assistant', content: 'one two' }, finish_reason: 'stop' },
        {
          index: 1,
          message: {
            role: 'assistant',
            content: null,
            tool_calls: [
              { id: 'a', type: 'function', function: { name: 'f', arguments: '{"x":1}' } },
              { id: 'b', type: 'function', function: { name: 'g', arguments: '{}' } },
            ],
          },
          finish_reason: 'tool_calls',
        },
      ],
      usage: { prompt_tokens: 4, completion_tokens: 5 },
    });
    expect([lines.done(), lines.defect()]).toEqual([true, undefined]);
  });

  it('is done by [DONE] or by every finish reason, and never whole with an error, nonsense or no choice in it', () => {
    const open = `data: ${chunk([piece(0, { content: 'a' }), piece(1, {}, 'stop')])}\n\n`;
    expect(read(open).lines.done()).toBe(false);
    expect(read(`${open}data: ${chunk([piece(0, {}, 'length')])}\n\n`).lines.done()).toBe(true);
    expect(read(`${open}data: [DONE]`).lines.done()).toBe(true);
    const error = '{"error":{"message":"m"}}';
    const { lines, out } = read(events(error));
    expect(out.toString()).toBe(events(error));
    expect(lines.defect()).toBe('the upstream sent an error');
    expect(read(events('nonsense')).lines.defect()).toBe('a chunk that is not a JSON object');
    expect(read(events()).lines.defect()).toBe('no choices');
  });
});
