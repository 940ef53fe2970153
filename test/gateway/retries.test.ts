import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually, seedModel, startTestServer, type TestServer } from '../http/support.js';

let server: TestServer;
let key: string;

beforeAll(async () => {
  server = await startTestServer();
  await seedModel(server, 'support');
  key = await server.key('serve');
});
afterAll(() => server.close());
beforeEach(() => server.upstream.reset());

let count = 0;
/** A question that nobody asked before. */
const question = () => [{ role: 'user' as const, content: `Question ${++count}` }];

async function chat(messages: unknown, headers: Record<string, string> = {}, more: Record<string, unknown> = {}) {
  const body = { model: 'support', user: 'ada', messages, ...more };
  const answer = await server.request('/v1/chat/completions', { key, body, headers });
  return { status: answer.status, id: answer.headers.get('x-understudy-interaction'), text: await answer.text() };
}

/** What is stored in the end of these questions, once everything before it is stored too. */
async function stored(messages: unknown) {
  const last = question();
  await chat(last);
  const request = (of: unknown) => ({ path: ['messages'], equals: of as never });
  await eventually(async () =>
    expect(await server.db.prisma.interaction.count({ where: { request: request(last) } })).toBe(1),
  );
  return server.db.prisma.interaction.findMany({ where: { request: request(messages) } });
}

describe('the official client, whose first attempt fails', () => {
  it('tries again, and that is one interaction: the answer it got', async () => {
    server.upstream.behave({ status: 500, times: 1 });
    const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: key, maxRetries: 2 });
    const messages = question();
    const answer = await client.chat.completions.create({ model: 'support', messages, user: 'ada' });
    expect(server.upstream.requests).toHaveLength(2);
    const rows = await stored(messages);
    expect(rows.map(({ id, status, tags }) => ({ id, status, tags }))).toEqual([
      { id: answer.id, status: 'complete', tags: {} },
    ]);
  });

  it('is one interaction also when the first attempt was stored long before', async () => {
    server.upstream.behave({ status: 500, times: 1 });
    const messages = question();
    const first = await chat(messages, { 'x-stainless-retry-count': '0' });
    expect((await stored(messages)).map(({ status }) => status)).toEqual(['failed']);
    const second = await chat(messages, { 'x-stainless-retry-count': '1' });
    expect([second.status, second.id]).toEqual([200, first.id]);
    expect((await stored(messages)).map(({ status }) => status)).toEqual(['complete']);
  });
});

describe('the same question', () => {
  it('asked again without a retry header is another request', async () => {
    const messages = question();
    const ids = [await chat(messages), await chat(messages)].map(({ id }) => id);
    expect(new Set(ids).size).toBe(2);
    expect(await stored(messages)).toHaveLength(2);
  });

  it('of another subject is another request, retried or not', async () => {
    const messages = question();
    const ids = [await chat(messages), await chat(messages, { 'x-retry-count': '1' }, { user: 'bob' })].map(
      ({ id }) => id,
    );
    expect(new Set(ids).size).toBe(2);
  });
});

describe('an Idempotency-Key', () => {
  it('gets the same answer again, asked once', async () => {
    const messages = question();
    const answers = [
      await chat(messages, { 'idempotency-key': 'k-1' }),
      await chat(messages, { 'idempotency-key': 'k-1' }),
    ];
    expect(answers[1]).toEqual(answers[0]);
    expect(server.upstream.requests).toHaveLength(1);
    expect(await stored(messages)).toHaveLength(1);
  });

  it('makes requests at the same time wait for one answer', async () => {
    server.upstream.behave({ delayMs: 100 });
    const messages = question();
    const answers = await Promise.all([1, 2, 3].map(() => chat(messages, { 'idempotency-key': 'k-2' })));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(server.upstream.requests).toHaveLength(1);
  });

  it('tries again after a failure, under the same id', async () => {
    server.upstream.behave({ status: 500, times: 1 });
    const messages = question();
    const first = await chat(messages, { 'idempotency-key': 'k-3' });
    const second = await chat(messages, { 'idempotency-key': 'k-3' });
    expect([first.status, second.status, second.id]).toEqual([500, 200, first.id]);
    expect((await stored(messages)).map(({ status }) => status)).toEqual(['complete']);
  });

  it('streams again, and keeps the last stream', async () => {
    const messages = question();
    const headers = { 'idempotency-key': 'k-4' };
    const ids = [await chat(messages, headers, { stream: true }), await chat(messages, headers, { stream: true })];
    expect(ids[0]?.id).toBe(ids[1]?.id);
    expect(await stored(messages)).toHaveLength(1);
  });

  it('with another body is refused', async () => {
    await chat(question(), { 'idempotency-key': 'k-5' });
    const answer = await chat(question(), { 'idempotency-key': 'k-5' });
    expect(answer.status).toBe(422);
    expect(JSON.parse(answer.text)).toMatchObject({ error: { code: 'idempotency_key_reused' } });
  });

  it('is nobody else’s', async () => {
    const messages = question();
    const own = await chat(messages, { 'idempotency-key': 'k-6' });
    const other = await server.request('/v1/chat/completions', {
      key: await server.key('serve'),
      body: { model: 'support', user: 'ada', messages },
      headers: { 'idempotency-key': 'k-6' },
    });
    expect(other.headers.get('x-understudy-interaction')).not.toBe(own.id);
  });

  it('of a client that left is asked again for the one that waits', async () => {
    server.upstream.behave({ delayMs: 300 });
    const body = JSON.stringify({ model: 'support', messages: question() });
    const ask = (signal?: AbortSignal) =>
      fetch(`${server.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'idempotency-key': 'k-7' },
        body,
        ...(signal === undefined ? {} : { signal }),
      });
    const leaving = new AbortController();
    const first = ask(leaving.signal).catch(() => 'left');
    await eventually(async () => expect(server.upstream.requests).toHaveLength(1));
    const second = ask();
    leaving.abort();
    expect(await first).toBe('left');
    expect((await second).status).toBe(200);
    expect(server.upstream.requests).toHaveLength(2);
  });
});
