import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ReadRow, readRows } from './read-rows.js';
import { runInOrder } from './run-in-order.js';

/** The bytes of a text in pieces of this size: characters and values are cut anywhere. */
async function* pieces(text: string, size: number): AsyncGenerator<Buffer, void> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(text: string, size = 7) {
  const { container, rows } = await readRows(pieces(text, size));
  const all: ReadRow[] = [];
  for await (const group of rows) all.push(...group);
  return { container, all };
}

const values = fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { minLength: 1, maxLength: 5 });
const parsed = (rows: readonly ReadRow[]) => rows.map(({ text }) => JSON.parse(text!) as unknown);
const asJson = (given: unknown) => JSON.parse(JSON.stringify(given)) as unknown;

describe('readRows', () => {
  it('reads lines, an array and values over several lines alike, wherever the pieces are cut', async () => {
    await fc.assert(
      fc.asyncProperty(values, fc.integer({ min: 1, max: 40 }), async (given, size) => {
        const lines = given.map((value) => JSON.stringify(value));
        expect(parsed((await read(lines.join('\n'), size)).all)).toEqual(asJson(given));
        expect(parsed((await read(JSON.stringify(given, null, 2), size)).all)).toEqual(asJson(given));
        expect(parsed((await read(`[${lines.join(' , ')}]`, size)).all)).toEqual(asJson(given));
        const spread = given.map((value) => JSON.stringify({ ...value, last: 1 }, null, 2));
        expect((await read(spread.join('\n'), size)).all).toHaveLength(given.length);
      }),
      { numRuns: 150 },
    );
  });

  it('numbers the lines from 1, also empty ones', async () => {
    const { container, all } = await read('{"a":1}\n\n{"a":2}');
    expect(container).toBe('lines');
    expect(all.map(({ line, text }) => [line, text])).toEqual([
      [1, '{"a":1}'],
      [2, ''],
      [3, '{"a":2}'],
    ]);
  });

  it('gives an array that was cut off up to its end', async () => {
    const { all } = await read('[{"a":1},{"b":');
    expect(all.map(({ text }) => text)).toEqual(['{"a":1}', '{"b":']);
  });

  it('reads CSV by its header, with quotes and line feeds in its cells', async () => {
    const { container, all } = await read('\ufeffid,"input"\n1,"a ""b""\nc"\n2,d\n');
    expect(container).toBe('csv');
    expect(all.map(({ value }) => value)).toEqual([
      { id: '1', input: 'a "b"\nc' },
      { id: '2', input: 'd' },
    ]);
  });

  it('reads nothing as no rows', async () => {
    expect((await read('')).all).toEqual([]);
    expect((await read('[]')).all).toEqual([]);
  });
});

describe('runInOrder', () => {
  it('works on several at once and tells of them in their order', async () => {
    const told: number[] = [];
    let [now, most] = [0, 0];
    async function* stream() {
      for (let n = 0; n < 20; n += 1) yield n;
    }
    await runInOrder(
      stream(),
      4,
      async (n) => {
        now += 1;
        most = Math.max(most, now);
        for (let turn = 0; turn < (n % 3) * 5; turn += 1) await new Promise(setImmediate);
        now -= 1;
        return n;
      },
      async (_, n) => {
        told.push(n);
      },
    );
    expect(told).toEqual(Array.from({ length: 20 }, (_, n) => n));
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(4);
  });

  it('throws the first failure when it is its turn, and tells of nothing after it', async () => {
    const told: number[] = [];
    async function* stream() {
      for (let n = 0; n < 20; n += 1) yield n;
    }
    const work = async (n: number) => {
      if (n >= 5) throw new Error(`failed at ${n}`);
      return n;
    };
    await expect(runInOrder(stream(), 3, work, async (_, n) => void told.push(n))).rejects.toThrow('failed at 5');
    expect(told).toEqual([0, 1, 2, 3, 4]);
  });
});
