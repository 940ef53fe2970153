import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { pythonTestLibraryDir, ROOT, trainerPython } from '#setup/toolchain.mjs';
import { eventually, seedModel, startTestServer, type TestServer } from '../http/support.js';

let server: TestServer;
let key: string;

const completion = (choices: Record<string, unknown>[]) =>
  JSON.stringify({ id: 'chatcmpl-9', object: 'chat.completion', created: 1, model: 'any', choices });
const choice = (index: number, message: Record<string, unknown>, finish_reason = 'stop') => ({
  index,
  message: { role: 'assistant', content: null, refusal: null, ...message },
  finish_reason,
  logprobs: null,
});
const toolCalls = [{ id: 'call-1', type: 'function', function: { name: 'find', arguments: '{"parcel":17}' } }];

/** Each model has an upstream that answers in its own way. */
const ANSWERS: Record<string, string> = {
  tools: completion([choice(0, { tool_calls: toolCalls }, 'tool_calls')]),
  many: completion([choice(0, { content: 'first' }), choice(1, { content: 'second' })]),
  schema: completion([choice(0, { content: '{"city":{"name":"Ulm"}}' })]),
  text: JSON.stringify({
    id: 'cmpl-1',
    object: 'text_completion',
    created: 1,
    model: 'text',
    choices: [{ index: 0, text: 'of the sea', finish_reason: 'stop', logprobs: null }],
  }),
  vector: JSON.stringify({
    object: 'list',
    model: 'vector',
    data: [{ object: 'embedding', index: 0, embedding: [0.25, -1] }],
    usage: { prompt_tokens: 1, total_tokens: 1 },
  }),
};
const GOT = {
  plain: ['answer of base', true],
  stream: ['answer of base', true],
  tools: ['find', { parcel: 17 }],
  n: ['first', 'second'],
  schema: 'Ulm',
  image: 'answer of base',
  completion: 'of the sea',
  embedding: [0.25, -1],
  models: ['many', 'schema', 'support', 'text', 'tools', 'vector'],
  missing: 'unknown_model',
};

beforeAll(async () => {
  server = await startTestServer();
  await seedModel(server, 'support');
  for (const [model, body] of Object.entries(ANSWERS)) {
    await seedModel(server, model, { upstream: { base_url: `${server.upstream.url}/v1`, model } });
    server.upstream.behave({ body }, model);
  }
  key = await server.key('serve');
});
afterAll(() => server.close());

it('the official client for Python works unchanged', async () => {
  const script = path.join(ROOT, 'test', 'gateway', 'openai_client.py');
  const { stdout } = await promisify(execFile)(trainerPython(), [script, `${server.url}/v1`, key], {
    env: { PATH: process.env.PATH, PYTHONPATH: pythonTestLibraryDir(), PYTHONDONTWRITEBYTECODE: '1' },
  });
  expect(JSON.parse(stdout)).toEqual(GOT);
});

it('the official client for JavaScript works unchanged', async () => {
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: key, maxRetries: 1 });
  const messages = [{ role: 'user' as const, content: 'Where is my parcel?' }];
  const ask = client.chat.completions;

  const plain = await ask.create({ model: 'support', messages, user: 'ada' }).withResponse();
  let text = '';
  let usage: unknown = null;
  const stream = await ask.create({
    model: 'support',
    messages,
    stream: true,
    stream_options: { include_usage: true },
  });
  for await (const chunk of stream) {
    for (const { delta } of chunk.choices) text += delta.content ?? '';
    usage = chunk.usage ?? usage;
  }
  const tools = await ask.create({
    model: 'tools',
    messages,
    tools: [{ type: 'function', function: { name: 'find', parameters: { type: 'object' } } }],
  });
  const [call] = tools.choices[0]?.message.tool_calls ?? [];
  const called = call?.type === 'function' ? call.function : undefined;
  const many = await ask.create({ model: 'many', messages, n: 2 });
  const schema = z.object({ city: z.object({ name: z.string() }) });
  const parsed = await ask.parse({ model: 'schema', messages, response_format: zodResponseFormat(schema, 'sizes') });
  const url = 'data:image/png;base64,iVBORw0KGgo=';
  const content = [
    { type: 'text' as const, text: 'What is it?' },
    { type: 'image_url' as const, image_url: { url } },
  ];
  const image = await ask.create({ model: 'support', messages: [{ role: 'user', content }] });
  const story = await client.completions.create({ model: 'text', prompt: 'A story' });
  const vector = await client.embeddings.create({ model: 'vector', input: 'x', encoding_format: 'float' });
  const models: string[] = [];
  for await (const model of client.models.list()) models.push(model.id);
  const missing = await ask.create({ model: 'nobody', messages }).catch((error: unknown) => error);

  expect({
    plain: [
      plain.data.choices[0]?.message.content,
      plain.data.id === plain.response.headers.get('x-understudy-interaction'),
    ],
    stream: [text, usage !== null],
    tools: [called?.name, JSON.parse(called?.arguments ?? 'null')],
    n: many.choices.map(({ message }) => message.content),
    schema: parsed.choices[0]?.message.parsed?.city.name,
    image: image.choices[0]?.message.content,
    completion: story.choices[0]?.text,
    embedding: vector.data[0]?.embedding,
    models: models.sort(),
    missing: missing instanceof OpenAI.NotFoundError ? missing.code : missing,
  }).toEqual(GOT);
});

it('tools, images and every choice are stored as they were said', async () => {
  const rows = await eventually(async () => {
    const found = await server.db.prisma.interaction.findMany();
    expect(found).toHaveLength(12);
    return found;
  });
  const of = (model: string) => rows.filter((row) => row.model === model);
  for (const row of of('tools')) {
    expect(row.request).toMatchObject({ tools: [{ function: { name: 'find' } }] });
    expect(row.response).toMatchObject({ choices: [{ message: { tool_calls: toolCalls } }] });
  }
  for (const row of of('many')) expect(row.response).toMatchObject({ choices: [{ index: 0 }, { index: 1 }] });
  for (const row of of('schema')) expect(row.request).toMatchObject({ response_format: { type: 'json_schema' } });
  const images = of('support').filter((row) => JSON.stringify(row.request).includes('data:image/png'));
  expect(images).toHaveLength(2);
  expect(new Set(rows.map(({ status }) => status))).toEqual(new Set(['complete']));
});
