import OpenAI, { RateLimitError } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuthenticator, createKey, rotateKey } from '../../src/access/index.js';
import { createDb } from '../../src/db/index.js';
import { eventually, seedModel, startTestServer, type TestServer } from '../http/support.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  await seedModel(server, 'support');
});
afterAll(() => server.close());

const messages = [{ role: 'user' as const, content: 'x' }];
const chat = (key: string, more: Record<string, unknown> = {}, path = '/v1/chat/completions') =>
  server.request(path, { key, body: { model: 'support', messages, prompt: 'x', input: 'x', ...more } });
const limitHeaders = (answer: Response) =>
  Object.fromEntries([...answer.headers].filter(([name]) => /^(x-ratelimit-|retry-after)/.test(name)));

describe('requests per minute', () => {
  it('are counted over every route of a key; the next one is refused in the shape of its route', async () => {
    const key = await server.key(['serve', 'read'], null, { requestsPerMinute: 4 });
    const first = await chat(key);
    expect(first.status).toBe(200);
    expect(limitHeaders(first)).toEqual({
      'x-ratelimit-limit-requests': '4',
      'x-ratelimit-remaining-requests': '3',
      'x-ratelimit-reset-requests': expect.stringMatching(/^1[45]s$/),
    });
    expect((await server.request('/v1/models', { key })).status).toBe(200);
    expect((await server.request('/api/v1/models', { key })).status).toBe(200);
    // Also one that is refused for something else.
    expect((await server.request('/api/v1/models/nobody', { key })).status).toBe(404);

    const refused = await chat(key);
    expect(refused.status).toBe(429);
    expect(limitHeaders(refused)).toMatchObject({
      'x-ratelimit-limit-requests': '4',
      'x-ratelimit-remaining-requests': '0',
      'retry-after': expect.stringMatching(/^1[0-5]$/),
    });
    expect(await refused.json()).toEqual({
      error: {
        message: expect.stringContaining('requests_per_minute (4)'),
        type: 'rate_limit_error',
        code: 'rate_limited',
        param: null,
      },
    });
    const ours = await server.request('/api/v1/models', { key });
    expect([ours.status, await ours.json()]).toMatchObject([
      429,
      { error: { code: 'rate_limited', details: { budget: 'requests_per_minute', limit: 4 } } },
    ]);
  });

  it('are understood by the OpenAI client', async () => {
    const apiKey = await server.key('serve', null, { requestsPerMinute: 1 });
    const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey, maxRetries: 0 });
    await client.models.list();
    const error = await client.models.list().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RateLimitError);
    expect(error).toMatchObject({ status: 429, code: 'rate_limited' });
  });

  it('cost a key without limits no header', async () => {
    expect(limitHeaders(await chat(await server.key('serve')))).toEqual({});
  });
});

describe('tokens per day', () => {
  const usage = { prompt_tokens: 30, completion_tokens: 12, total_tokens: 42 };
  const completion = { id: 'c', choices: [{ index: 0, message: { role: 'assistant', content: 'y' } }], usage };
  const left = async (key: string) =>
    Number((await server.request('/v1/models', { key })).headers.get('x-ratelimit-remaining-tokens'));

  it('are those the upstream reports, of every endpoint; when they are gone, what costs none goes on', async () => {
    const key = await server.key('serve', null, { tokensPerDay: 100 });
    server.upstream.behave({ body: JSON.stringify(completion), times: 3 });
    for (const [n, path] of ['/v1/chat/completions', '/v1/completions', '/v1/embeddings'].entries()) {
      const answer = await chat(key, {}, path);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('x-ratelimit-remaining-tokens')).toBe(String(100 - 42 * (n + 1)).replace(/^-.*/, '0'));
    }
    const refused = await chat(key);
    expect(refused.status).toBe(429);
    expect(((await refused.json()) as { error: unknown }).error).toMatchObject({
      code: 'rate_limited',
      type: 'rate_limit_error',
    });
    const toMidnight = (86_400_000 - (Date.now() % 86_400_000)) / 1_000;
    expect(Math.abs(Number(refused.headers.get('retry-after')) - toMidnight)).toBeLessThan(5);
    expect((await server.request('/v1/models', { key })).status).toBe(200);
  });

  it('are counted for streams when they end, reported or not', async () => {
    const key = await server.key('serve', null, { tokensPerDay: 10_000 });
    const chunk = (more: object) =>
      `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', ...more })}\n\n`;
    const said = chunk({ choices: [{ index: 0, delta: { role: 'assistant', content: 'w'.repeat(400) } }] });
    const end = chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] });
    server.upstream.behave({ pieces: [said, end, chunk({ choices: [], usage }), 'data: [DONE]\n\n'], times: 1 });
    await (await chat(key, { stream: true })).text();
    await eventually(async () => expect(await left(key)).toBe(10_000 - 42));

    server.upstream.behave({ pieces: [said, end, 'data: [DONE]\n\n'], times: 1 });
    await (await chat(key, { stream: true })).text();
    await eventually(async () => {
      const estimated = 10_000 - 42 - (await left(key));
      expect(estimated).toBeGreaterThanOrEqual(100);
      expect(estimated).toBeLessThan(250);
    });
  });

  it('cost nothing when the upstream fails', async () => {
    const key = await server.key('serve', null, { tokensPerDay: 50 });
    for (const status of [400, 500]) {
      server.upstream.behave({ status, times: 1 });
      expect((await chat(key)).status).toBe(status);
    }
    expect(await left(key)).toBe(50);
  });
});

describe('several gateways', () => {
  const gateway = async (options: { shareMs?: number; url?: string } = {}) => {
    const db = createDb(options.url ?? server.db.url, { max: 2 });
    const keys = createAuthenticator(db, { shareMs: options.shareMs ?? 20 });
    await keys.start();
    return {
      budgetOf: async (key: string) => (await keys.authenticate(`Bearer ${key}`)).budget!,
      async close() {
        await keys.close();
        await db.close();
      },
    };
  };

  it('respect one daily budget, also one that starts later, and a key’s successor shares it', async () => {
    const gateways = await Promise.all([gateway(), gateway(), gateway()]);
    const { id, key } = await createKey(server.db, { name: 'app', scopes: ['serve'], tokensPerDay: 1_000 });
    const budgets = await Promise.all(gateways.map(({ budgetOf }) => budgetOf(key)));
    for (const budget of budgets) {
      expect(budget.admit(true)).toBeUndefined();
      budget.charge(400);
    }
    // The next request of each brings the news of the others.
    await eventually(async () => {
      for (const budget of budgets) budget.admit(false);
      await new Promise((resolve) => setTimeout(resolve, 30));
      for (const budget of budgets) expect(budget.today().tokens).toBe(1_200);
    });
    for (const budget of budgets) expect(budget.admit(true)).toMatchObject({ budget: 'tokens_per_day' });

    const successor = await rotateKey(server.db, id, 60_000);
    const late = await gateway();
    for (const held of [key, successor.key]) {
      expect((await late.budgetOf(held)).admit(true)).toMatchObject({ budget: 'tokens_per_day' });
    }
    for (const one of [...gateways, late]) await one.close();
    const rows = await server.db.prisma.keyUsage.findMany({ where: { family: id } });
    expect(rows).toEqual([{ family: id, day: expect.any(Date), tokens: 1_200n, requests: expect.any(BigInt) }]);
    expect(rows[0]!.requests).toBeGreaterThanOrEqual(6n);
  });

  it('respect one rate after what the others admitted is known', async () => {
    const [one, other] = await Promise.all([gateway(), gateway()]);
    const { id, key } = await createKey(server.db, { name: 'app', scopes: ['serve'], requestsPerMinute: 100 });
    const [mine, theirs] = [await one.budgetOf(key), await other.budgetOf(key)];
    mine.admit(false);
    theirs.admit(false);
    await eventually(async () =>
      expect(await server.db.prisma.keyUsage.findMany({ where: { family: id } })).toMatchObject([{ requests: 2n }]),
    );
    for (let n = 0; n < 80; n++) theirs.admit(false);
    await eventually(async () => {
      // Its own next request brings the news.
      expect(mine.admit(false)).toBeUndefined();
      await new Promise((resolve) => setTimeout(resolve, 30));
      expect(Number(mine.headers()['x-ratelimit-remaining-requests'])).toBeLessThan(20);
    });
    await one.close();
    await other.close();
  });

  it('go on with what they know while Postgres is away, and lose nothing of it', async () => {
    const { id, key } = await createKey(server.db, { name: 'app', scopes: ['serve'], tokensPerDay: 1_000 });
    const one = await gateway({ shareMs: 10_000 });
    const budget = await one.budgetOf(key);
    budget.charge(600);
    await server.db.pool.query('ALTER TABLE key_usage RENAME TO gone');
    // Closing writes what is left, which fails here.
    await one.close();
    await server.db.pool.query('ALTER TABLE gone RENAME TO key_usage');
    expect(budget.today().tokens).toBe(600);
    expect(budget.admit(true)).toBeUndefined();
    budget.charge(400);
    expect(budget.admit(true)).toMatchObject({ budget: 'tokens_per_day' });
    expect(budget.take()).toMatchObject([{ tokens: 1_000 }]);
    expect(await server.db.prisma.keyUsage.count({ where: { family: id } })).toBe(0);
  });
});
