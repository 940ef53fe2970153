import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  eventually,
  seedExperiment,
  seedModel,
  seedVersion,
  startTestServer,
  subjectIn,
  type TestServer,
} from '../http/support.js';

let server: TestServer;
let serve: string;
let experiment: string;

beforeAll(async () => {
  server = await startTestServer();
  await seedModel(server, 'support');
  await seedModel(server, 'tested');
  await seedVersion(server.db, 'tested', 2);
  experiment = await seedExperiment(server, 'tested');
  serve = await server.key('serve');
});
afterAll(() => server.close());
beforeEach(() => server.upstream.reset());

const messages = [{ role: 'user' as const, content: 'Where is my parcel?' }];
const first = 'data: {"id":"up-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Gr';

function ask(body: Record<string, unknown> = {}, signal?: AbortSignal, at = server, key = serve): Promise<Response> {
  return fetch(`${at.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'support', messages, stream: true, ...body }),
    ...(signal === undefined ? {} : { signal }),
  });
}

function stored(id: string | null, at = server) {
  return eventually(() => at.db.prisma.interaction.findFirstOrThrow({ where: { id: id ?? '' } }));
}

const idOf = (answer: Response) => answer.headers.get('x-understudy-interaction');

/** A subject of the challenger's arm. */
const challenged = () => subjectIn(experiment, true);

describe('a streamed answer', () => {
  it('reaches the official client, and is stored as the one in one piece is', async () => {
    const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: serve });
    const ordinary = await client.chat.completions.create({ model: 'support', messages });
    const { data, response } = await client.chat.completions
      .create({ model: 'support', messages, stream: true, stream_options: { include_usage: true } })
      .withResponse();
    let text = '';
    const ids = new Set<string>();
    for await (const chunk of data) {
      ids.add(chunk.id);
      text += chunk.choices[0]?.delta.content ?? '';
    }
    expect(text).toBe('answer of base');
    expect([...ids]).toEqual([idOf(response)]);
    expect(response.headers.get('x-understudy-version')).toBe('1');
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const [whole, streamed] = [await stored(ordinary.id), await stored(idOf(response))];
    expect(streamed).toMatchObject({ status: 'complete', promptTokens: 9, completionTokens: 3, tags: {} });
    const id = idOf(response);
    const upstream_id = expect.stringMatching(/^chatcmpl-stub/);
    expect(streamed.response).toEqual({ ...(whole.response as object), id, upstream_id });
  });

  it('is the upstream byte for byte but for the id, wherever its writes end', async () => {
    const text = `: ping\r\n\r\n${first}\u00fc\u00dfe \u{1f41d}"},"finish_reason":"stop"}], "n":1.0}\r\n\r\ndata: [DONE]\r\n\r\n`;
    const bytes = Buffer.from(text);
    server.upstream.behave({ pieces: Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)), gapMs: 0 });
    const answer = await ask();
    const got = Buffer.from(await answer.arrayBuffer());
    expect(got.toString()).toBe(text.replace('"up-1"', `"${idOf(answer)}"`));
    expect((await stored(idOf(answer))).response).toMatchObject({
      choices: [{ message: { content: 'Gr\u00fc\u00dfe \u{1f41d}' } }],
    });
  });

  it('begins before the upstream is done', async () => {
    server.upstream.behave({ pieces: [`${first}"}}]}\n\n`], afterwards: 'hang' });
    const answer = await ask();
    const reader = answer.body!.getReader();
    expect(Buffer.from((await reader.read()).value!).toString()).toContain('"Gr"');
    await reader.cancel();
    await eventually(async () => expect(server.upstream.aborted).toBe(1), 900);
    expect(await stored(idOf(answer))).toMatchObject({
      status: 'incomplete',
      tags: {},
      response: { id: idOf(answer), choices: [{ message: { content: 'Gr' } }] },
    });
  });

  it('is asked for no faster than the client takes it', async () => {
    const line = Buffer.from(`: ${'x'.repeat(1_000_000)}\n`);
    server.upstream.behave({ pieces: Array(90).fill(line), gapMs: 0, afterwards: 'hang' });
    const controller = new AbortController();
    const answer = await ask({}, controller.signal);
    await eventually(async () => expect(server.upstream.written).toBeGreaterThan(0));
    await sleep(500);
    // What fits into the buffers of four sockets, and no more.
    expect(server.upstream.written).toBeLessThan(45 * line.length);
    controller.abort();
    await stored(idOf(answer));
    await eventually(async () => expect(server.upstream.aborted).toBe(1));
  });

  it.each([
    ['closes the connection', { afterwards: 'close' as const }],
    ['falls silent', { afterwards: 'hang' as const }],
    ['ends too early', {}],
  ])('ends with an error the client understands when the upstream %s', async (_how, behaviour) => {
    server.upstream.behave({ pieces: [`${first}"}}]}\n\ndata: {"id":"cut`], ...behaviour }, 'tested-v2');
    const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: serve, maxRetries: 0 });
    const { data, response } = await client.chat.completions
      .create({ model: 'tested', messages, stream: true, user: challenged() })
      .withResponse();
    let text = '';
    const reading = (async () => {
      for await (const chunk of data) text += chunk.choices[0]?.delta.content ?? '';
    })();
    await expect(reading).rejects.toBeInstanceOf(OpenAI.APIError);
    expect(text).toBe('Gr');
    const row = await stored(idOf(response));
    expect(row).toMatchObject({ status: 'incomplete', arm: 'challenger', assignedVersion: 2, version: 2 });
    expect(row.tags).toHaveProperty(['understudy.failure']);
    expect(server.upstream.requests).toHaveLength(1);
  });

  it('is passed on and held against the arm when the upstream itself sends an error in it', async () => {
    const text = 'data: {"error":{"message":"out of memory"}}\n\ndata: [DONE]\n\n';
    server.upstream.behave({ pieces: [text] });
    const answer = await ask();
    expect(await answer.text()).toBe(text);
    expect(await stored(idOf(answer))).toMatchObject({ status: 'incomplete', response: null });
  });

  it.each([
    ['refuses', { status: 500 }],
    ['does not know it', { status: 404 }],
    ['closes the connection', { instead: 'close' as const }],
    ['hangs', { instead: 'hang' as const }],
    ['sends headers and nothing else', { pieces: [], afterwards: 'hang' as const }],
    ['breaks after the headers', { pieces: [], afterwards: 'close' as const }],
    ['ends before the first byte', { pieces: [] }],
  ])('comes from the champion when the challenger %s', async (_how, behaviour) => {
    server.upstream.behave(behaviour, 'tested-v2');
    const answer = await ask({ model: 'tested', user: challenged() });
    expect(await answer.text()).toContain('[DONE]');
    expect(answer.headers.get('x-understudy-version')).toBe('1');
    expect(answer.headers.get('x-understudy-arm')).toBe('challenger');
    const row = await stored(idOf(answer));
    expect(row).toMatchObject({ status: 'complete', version: 1, assignedVersion: 2 });
    expect(row.tags).toEqual({ 'understudy.fallback': 'true' });
  });

  it('may be one piece or an error, where the upstream does not stream', async () => {
    server.upstream.behave({ status: 429 });
    const refused = await ask();
    expect(refused.status).toBe(429);
    expect(refused.headers.get('content-type')).toContain('application/json');
    expect((await stored(idOf(refused))).status).toBe('failed');
    server.upstream.behave({ body: '{"id":"a","choices":[{"index":0,"message":{"content":"b"}}]}' });
    const whole = await ask();
    expect(await whole.json()).toMatchObject({ id: idOf(whole), choices: [{ message: { content: 'b' } }] });
    expect((await stored(idOf(whole))).status).toBe('complete');
  });

  it('is ended and stored before the server closes', async () => {
    const other = await startTestServer();
    let closing: Promise<unknown> = Promise.resolve();
    try {
      await seedModel(other, 'support');
      other.upstream.behave({ gapMs: 100 });
      const answer = await ask({}, undefined, other, await other.key('serve'));
      const startedAt = performance.now();
      closing = other.app.close();
      expect(await answer.text()).toContain('[DONE]');
      await closing;
      expect(performance.now() - startedAt).toBeLessThan(4_000);
      const row = await other.db.prisma.interaction.findFirstOrThrow({ where: { id: idOf(answer) ?? '' } });
      expect(row).toMatchObject({ status: 'complete', response: { choices: [{ finish_reason: 'stop' }] } });
    } finally {
      await closing;
      await other.close();
    }
  });
});
