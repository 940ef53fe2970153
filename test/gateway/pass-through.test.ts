import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import {
  seedExperiment,
  seedModel,
  seedVersion,
  startTestServer,
  subjectIn,
  type TestServer,
} from '../http/support.js';

let server: TestServer;
let client: OpenAI;
let key: string;
/** Of the challenger's arm. */
let subject: string;

beforeAll(async () => {
  server = await startTestServer();
  await seedModel(server, 'support');
  await seedVersion(server.db, 'support', 2);
  const experiment = await seedExperiment(server, 'support');
  key = await server.key('serve');
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: key, maxRetries: 0 });
  subject = subjectIn(experiment, true);
});
afterAll(() => server.close());
beforeEach(() => server.upstream.reset());

const completion = (text: string) => ({
  id: 'cmpl-1',
  object: 'text_completion',
  created: 1,
  model: 'base',
  choices: [{ index: 0, text, finish_reason: 'stop', logprobs: null }],
});

it('text completions come from the champion, with the id of the upstream, and nothing is stored of them', async () => {
  server.upstream.behave({ body: JSON.stringify(completion('of the sea')) });
  const { data, response } = await client.completions
    .create({ model: 'support', prompt: 'A story', user: subject })
    .withResponse();
  expect(data).toMatchObject({ id: 'cmpl-1', choices: [{ text: 'of the sea' }] });
  expect(server.upstream.requests[0]).toMatchObject({ path: '/v1/completions', model: 'base' });
  expect(response.headers.get('x-understudy-version')).toBe('1');
  expect(response.headers.get('x-understudy-arm')).toBeNull();
});

it('streamed text completions pass byte for byte', async () => {
  const pieces = ['of ', 'the sea'].map((text) => `data: ${JSON.stringify(completion(text))}\n\n`);
  server.upstream.behave({ pieces: [...pieces, 'data: [DONE]\n\n'] });
  const answer = await server.request('/v1/completions', {
    key,
    body: { model: 'support', prompt: 'A story', stream: true },
  });
  expect(await answer.text()).toBe(`${pieces.join('')}data: [DONE]\n\n`);
});

it('embeddings come from the champion, or from the version that is pinned', async () => {
  const body = {
    object: 'list',
    model: 'base',
    data: [{ object: 'embedding', index: 0, embedding: [0.25, -1] }],
    usage: { prompt_tokens: 1, total_tokens: 1 },
  };
  server.upstream.behave({ body: JSON.stringify(body) });
  const one = await client.embeddings.create({ model: 'support', input: 'x', encoding_format: 'float', user: subject });
  expect(one.data[0]?.embedding).toEqual([0.25, -1]);
  await client.embeddings.create({ model: 'support@2', input: 'x', encoding_format: 'float' });
  expect(server.upstream.requests.map(({ path, model }) => [path, model])).toEqual([
    ['/v1/embeddings', 'base'],
    ['/v1/embeddings', 'support-v2'],
  ]);
});

it('an error of the upstream keeps its status and body', async () => {
  server.upstream.behave({ status: 422 });
  await expect(client.embeddings.create({ model: 'support', input: 'x' })).rejects.toMatchObject({ status: 422 });
});

it('leaves no interaction and no exposure behind', async () => {
  await server.app.gateway.exposuresStored();
  // A chat completion after them: once it is there, anything before it would be there too.
  await client.chat.completions.create({ model: 'support', messages: [{ role: 'user', content: 'x' }] });
  await expect.poll(() => server.db.prisma.interaction.count()).toBe(1);
  expect(await server.db.prisma.exposure.count()).toBe(0);
});
