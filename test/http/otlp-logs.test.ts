import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { OTLPLogExporter as JsonExporter } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as ProtobufExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider, type LogRecordExporter } from '@opentelemetry/sdk-logs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { hashSubject } from '../../src/interactions/index.js';
import { startCuttableProxy } from '../support/cuttable-proxy.js';
import { SUBJECT_KEY, seedModel, startTestServer, type TestServer } from './support.js';

const INFERENCE = 'gen_ai.client.inference.operation.details';
const EVALUATION = 'gen_ai.evaluation.result';
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

type Json = Record<string, unknown>;
let server: TestServer;
let key: string;

beforeAll(async () => {
  server = await startTestServer();
  await seedModel(server, 'support');
  await seedModel(server, 'sales');
  key = await server.key('ingest');
});
afterAll(() => server.close());

/** A plain value as OTLP's JSON has it. */
function anyValue(value: unknown): Json {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'number') return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  if (Array.isArray(value)) return { arrayValue: { values: value.map(anyValue) } };
  return { kvlistValue: { values: keyValues(value as Json) } };
}
const keyValues = (object: Json) => Object.entries(object).map(([key, value]) => ({ key, value: anyValue(value) }));

function record(eventName: string, attributes: Json, more: Json = {}): Json {
  return { eventName, timeUnixNano: '1790000000123456789', attributes: keyValues(attributes), ...more };
}
const request = (records: unknown[], resource: Json = {}): Json => ({
  resourceLogs: [
    { resource: { attributes: keyValues(resource) }, scopeLogs: [{ scope: { name: 'test' }, logRecords: records }] },
  ],
});
const conversation = (id: string, more: Json = {}): Json => ({
  'gen_ai.operation.name': 'chat',
  'gen_ai.provider.name': 'openai',
  'gen_ai.request.model': 'support',
  'gen_ai.request.temperature': 0.2,
  'gen_ai.request.max_tokens': 64,
  'gen_ai.response.id': id,
  'gen_ai.response.model': 'support-v1',
  'gen_ai.response.finish_reasons': ['stop'],
  'gen_ai.usage.input_tokens': 9,
  'gen_ai.usage.output_tokens': 3,
  'gen_ai.conversation.id': 'c-1',
  'user.id': 'ada@example.org',
  'gen_ai.system_instructions': [{ type: 'text', content: 'Be brief.' }],
  'gen_ai.input.messages': [{ role: 'user', parts: [{ type: 'text', content: 'Where is my parcel?' }] }],
  'gen_ai.output.messages': [
    { role: 'assistant', parts: [{ type: 'text', content: 'On its way.' }], finish_reason: 'stop' },
  ],
  ...more,
});

const send = (body: unknown, headers: Record<string, string> = {}, as = key) =>
  fetch(`${server.url}/v1/logs`, {
    method: 'POST',
    headers: { authorization: `Bearer ${as}`, 'content-type': 'application/json', ...headers },
    body: Buffer.isBuffer(body) ? new Uint8Array(body) : typeof body === 'string' ? body : JSON.stringify(body),
  });
async function sent(body: unknown, as = key): Promise<{ rejected: number; message: string }> {
  const answer = await send(body, {}, as);
  expect(answer.status).toBe(200);
  const { partialSuccess } = (await answer.json()) as {
    partialSuccess?: { rejectedLogRecords?: string; errorMessage: string };
  };
  return { rejected: Number(partialSuccess?.rejectedLogRecords ?? 0), message: partialSuccess?.errorMessage ?? '' };
}
const stored = async (externalId: string) =>
  (await server.db.pool.query('SELECT * FROM interactions WHERE external_id = $1 ORDER BY model', [externalId])).rows;
const feedbackOf = async (interaction: string) =>
  (
    await server.db.pool.query(
      'SELECT kind, body, source, given_at FROM feedback WHERE interaction_id = $1 ORDER BY kind DESC',
      [interaction],
    )
  ).rows;

describe('POST /v1/logs', () => {
  it('stores an inference event as an interaction, its subject as HMAC only', async () => {
    expect(await sent(request([record(INFERENCE, conversation('chatcmpl-1'))]))).toEqual({ rejected: 0, message: '' });
    const [row] = await stored('chatcmpl-1');
    expect(row).toMatchObject({
      model: 'support',
      subject: hashSubject(SUBJECT_KEY, 'ada@example.org'),
      session: 'c-1',
      status: 'complete',
      prompt_tokens: 9,
      completion_tokens: 3,
      asked_at: new Date(1_790_000_000_123),
      request: {
        model: 'support',
        temperature: 0.2,
        max_tokens: 64,
        messages: [
          { role: 'system', content: 'Be brief.' },
          { role: 'user', content: 'Where is my parcel?' },
        ],
      },
      response: {
        id: 'chatcmpl-1',
        model: 'support-v1',
        choices: [{ index: 0, message: { role: 'assistant', content: 'On its way.' }, finish_reason: 'stop' }],
      },
    });
    expect(JSON.stringify(row)).not.toContain('ada@example.org');
  });

  it('takes the example of docs/telemetry.md', async () => {
    const example = /```json\n([\s\S]*?)```/.exec(readFileSync('docs/telemetry.md', 'utf8'))![1]!;
    expect(await sent(example.replace('support-desk', 'support'))).toEqual({ rejected: 0, message: '' });
    const [row] = await stored('chatcmpl-17');
    expect(row).toMatchObject({ model: 'support', subject: hashSubject(SUBJECT_KEY, 'user-17') });
    expect(await feedbackOf(row.id)).toMatchObject([{ kind: 'score', body: { name: 'quality', value: 0.9 } }]);
  });

  it('takes tool calls, their results and images as chat completions have them', async () => {
    const input = [
      {
        role: 'user',
        parts: [
          { type: 'text', content: 'Weather?' },
          { type: 'uri', modality: 'image', uri: 'https://x/y.png' },
        ],
      },
      {
        role: 'assistant',
        parts: [{ type: 'tool_call', id: 'call_1', name: 'weather', arguments: { city: 'Paris' } }],
      },
      { role: 'tool', parts: [{ type: 'tool_call_response', id: 'call_1', response: 'rainy' }] },
    ];
    const output = [
      {
        role: 'assistant',
        parts: [{ type: 'tool_call', id: 'call_2', name: 'umbrella', arguments: '{}' }],
        finish_reason: 'tool_call',
      },
    ];
    const tools = [{ type: 'function', name: 'weather', parameters: { type: 'object' } }];
    const attributes = conversation('chatcmpl-tools', {
      // As senders do whose attributes cannot hold maps.
      'gen_ai.input.messages': JSON.stringify(input),
      'gen_ai.output.messages': output,
      'gen_ai.tool.definitions': tools,
    });
    expect(await sent(request([record(INFERENCE, attributes)]))).toEqual({ rejected: 0, message: '' });
    const [row] = await stored('chatcmpl-tools');
    expect(row.request).toMatchObject({
      messages: [
        { role: 'system' },
        {
          content: [
            { type: 'text', text: 'Weather?' },
            { type: 'image_url', image_url: { url: 'https://x/y.png' } },
          ],
        },
        {
          content: null,
          tool_calls: [
            { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Paris"}' } },
          ],
        },
        { role: 'tool', tool_call_id: 'call_1', content: 'rainy' },
      ],
      tools: [{ type: 'function', function: { name: 'weather', parameters: { type: 'object' } } }],
    });
    expect(row.response.choices).toEqual([
      {
        index: 0,
        message: {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'call_2', type: 'function', function: { name: 'umbrella', arguments: '{}' } }],
        },
        finish_reason: 'tool_calls',
      },
    ]);
  });

  it('stores an evaluation as a score of the system with its explanation, before or after its interaction', async () => {
    const evaluation = (id: string, more: Json) =>
      record(EVALUATION, {
        'gen_ai.evaluation.name': 'quality',
        'gen_ai.response.id': id,
        'understudy.model': 'support',
        ...more,
      });
    await sent(
      request([
        evaluation('chatcmpl-e', {
          'gen_ai.evaluation.score.value': 0.75,
          'gen_ai.evaluation.explanation': 'Short and right.',
        }),
      ]),
    );
    await sent(request([record(INFERENCE, conversation('chatcmpl-e'))]));
    await sent(
      request([
        evaluation('chatcmpl-e', { 'gen_ai.evaluation.name': 'relevance', 'gen_ai.evaluation.score.label': 'Pass' }),
      ]),
    );
    const [row] = await stored('chatcmpl-e');
    const given = await feedbackOf(row.id);
    expect(given.map(({ kind, body, source }) => ({ kind, body, source }))).toEqual(
      expect.arrayContaining([
        { kind: 'score', body: { name: 'quality', value: 0.75 }, source: 'system' },
        { kind: 'score', body: { name: 'relevance', value: 1 }, source: 'system' },
        { kind: 'comment', body: { value: 'Short and right.' }, source: 'system' },
      ]),
    );
    expect(given).toHaveLength(3);
  });

  it('finds the interaction of an evaluation by its span when there is no response id, and by the id of the gateway', async () => {
    const span = { traceId: TRACE, spanId: SPAN };
    const { 'gen_ai.response.id': _, ...withoutId } = conversation('');
    const score = { 'gen_ai.evaluation.name': 'quality', 'gen_ai.evaluation.score.value': 1 };
    const resource = { 'understudy.model': 'support' };
    expect(
      await sent(request([record(EVALUATION, score, span), record(INFERENCE, withoutId, span)], resource)),
    ).toMatchObject({ rejected: 0 });
    const [row] = await stored(`${TRACE}:${SPAN}`);
    expect(await feedbackOf(row.id)).toHaveLength(1);
    expect(row.tags).toMatchObject({ trace_id: TRACE });

    const byGateway = record(EVALUATION, { ...score, 'gen_ai.response.id': row.id, 'gen_ai.evaluation.name': 'tone' });
    expect(await sent(request([byGateway]))).toMatchObject({ rejected: 0 });
    expect(await feedbackOf(row.id)).toHaveLength(2);
  });

  it('does not store again what the gateway answered, and says so', async () => {
    const id = '01990000-0000-7000-8000-000000000001';
    const { rejected, message } = await sent(request([record(INFERENCE, conversation(id))]));
    expect({ rejected, stored: await stored(id) }).toEqual({ rejected: 0, stored: [] });
    expect(message).toContain('gateway');
  });

  it('changes nothing when the same records come again, and rejects another body under the same id', async () => {
    const body = request([
      record(INFERENCE, conversation('chatcmpl-again')),
      record(EVALUATION, {
        'gen_ai.evaluation.name': 'quality',
        'gen_ai.evaluation.score.value': 0.5,
        'gen_ai.response.id': 'chatcmpl-again',
        'understudy.model': 'support',
      }),
    ]);
    for (let i = 0; i < 3; i++) expect(await sent(body)).toEqual({ rejected: 0, message: '' });
    const rows = await stored('chatcmpl-again');
    expect(rows).toHaveLength(1);
    expect(await feedbackOf(rows[0].id)).toHaveLength(1);
    const other = request([record(INFERENCE, conversation('chatcmpl-again', { 'gen_ai.request.temperature': 1.5 }))]);
    expect(await sent(other)).toMatchObject({ rejected: 1, message: expect.stringContaining('another body') });
  });

  it('rejects what it does not store, counted by reason, and stores the rest', async () => {
    const answer = await sent(
      request([
        record(INFERENCE, conversation('chatcmpl-rest')),
        record('', { message: 'GET /health' }),
        record('app.started', {}),
        record(INFERENCE, conversation('chatcmpl-x', { 'gen_ai.request.model': 'nobody' })),
        record(INFERENCE, conversation('chatcmpl-y', { 'gen_ai.operation.name': 'embeddings' })),
        record(INFERENCE, { 'gen_ai.response.id': 'chatcmpl-z', 'gen_ai.request.model': 'support' }),
        record(EVALUATION, {
          'gen_ai.evaluation.name': 'tone',
          'gen_ai.response.id': 'chatcmpl-rest',
          'understudy.model': 'support',
          'gen_ai.evaluation.score.label': 'warm',
        }),
      ]),
    );
    expect(answer.rejected).toBe(6);
    expect(answer.message).toContain(
      '2 × neither gen_ai.client.inference.operation.details nor gen_ai.evaluation.result',
    );
    expect(answer.message).toContain('message contents');
    expect(await stored('chatcmpl-rest')).toHaveLength(1);
  });

  it('keeps keys of one model to that model', async () => {
    const bound = await server.key('ingest', 'sales');
    const { rejected, message } = await sent(
      request([record(INFERENCE, conversation('chatcmpl-b', { 'understudy.model': 'support' }))]),
      bound,
    );
    expect({ rejected, rows: await stored('chatcmpl-b') }).toEqual({ rejected: 1, rows: [] });
    expect(message).toContain('does not exist');
    await sent(request([record(INFERENCE, conversation('chatcmpl-b'))]), bound);
    expect(await stored('chatcmpl-b')).toMatchObject([{ model: 'sales' }]);
  });

  it.each([
    ['protobuf', ProtobufExporter],
    ['JSON', JsonExporter],
  ] as const)('takes what the OpenTelemetry SDK sends as %s with gzip', async (name, Exporter) => {
    const exporter = new Exporter({
      url: `${server.url}/v1/logs`,
      headers: { authorization: `Bearer ${key}` },
      compression: 'gzip' as never,
    });
    const results: unknown[] = [];
    const observed: LogRecordExporter = {
      export: (records, done) =>
        exporter.export(records, (result) => {
          results.push(result);
          done(result);
        }),
      shutdown: () => exporter.shutdown(),
      forceFlush: () => exporter.forceFlush(),
    };
    const provider = new LoggerProvider({
      resource: resourceFromAttributes({ 'understudy.model': 'support' }),
      processors: [new BatchLogRecordProcessor({ exporter: observed })],
    });
    provider.getLogger('app').emit({
      eventName: INFERENCE,
      timestamp: 1_790_000_000_123,
      attributes: conversation(`chatcmpl-sdk-${name}`, { 'gen_ai.request.model': 'gpt-99' }) as never,
    });
    await provider.shutdown();
    expect(results).toEqual([{ code: 0 }]);
    expect(await stored(`chatcmpl-sdk-${name}`)).toMatchObject([
      {
        model: 'support',
        prompt_tokens: 9,
        request: { model: 'gpt-99', temperature: 0.2 },
        subject: hashSubject(SUBJECT_KEY, 'ada@example.org'),
      },
    ]);
  });

  it('answers in the type of the request: empty when all is well, google.rpc.Status when it is not', async () => {
    const empty = await send(Buffer.alloc(0), { 'content-type': 'application/x-protobuf' });
    expect([empty.status, empty.headers.get('content-type'), (await empty.arrayBuffer()).byteLength]).toEqual([
      200,
      'application/x-protobuf',
      0,
    ]);
    const bad = await send(Buffer.from([0xff, 0xff]), { 'content-type': 'application/x-protobuf' });
    expect([bad.status, bad.headers.get('content-type')]).toEqual([400, 'application/x-protobuf']);
    // Field 1, varint 3 (INVALID_ARGUMENT); field 2, text.
    expect([...new Uint8Array(await bad.arrayBuffer()).subarray(0, 3)]).toEqual([0x08, 3, 0x12]);
    const json = await send('{"resourceLogs": 7}');
    expect([json.status, await json.json()]).toEqual([
      400,
      { code: 3, message: expect.stringContaining('ExportLogsServiceRequest') },
    ]);
  });

  it('refuses other types, encodings, bombs and keys by their status', async () => {
    expect((await send('a=b', { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await send('{}', { 'content-encoding': 'br' })).status).toBe(415);
    expect((await send('{}', { 'content-encoding': 'gzip' })).status).toBe(400);
    expect((await send(gzipSync(Buffer.alloc(40 * 1_024 * 1_024, 32)), { 'content-encoding': 'gzip' })).status).toBe(
      413,
    );
    expect((await send(Buffer.alloc(17 * 1_024 * 1_024, 32))).status).toBe(413);
    expect((await send(request(Array.from({ length: 20_001 }, () => ({}))))).status).toBe(400);
    expect((await send('{}', {}, await server.key('serve'))).status).toBe(403);
    const without = await fetch(`${server.url}/v1/logs`, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    });
    expect([without.status, await without.json()]).toEqual([401, { code: 16, message: expect.any(String) }]);
  });

  it('never fails on what it is sent', async () => {
    const odd = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom<unknown>(
        '\0',
        '\ud800',
        1e308,
        -1,
        '9'.repeat(30),
        { stringValue: 7 },
        { kvlistValue: { values: 3 } },
      ),
    );
    const attribute = fc.record(
      {
        key: fc.constantFrom(
          ...Object.keys(conversation('')),
          'gen_ai.evaluation.name',
          'gen_ai.evaluation.score.value',
          'gen_ai.tool.definitions',
          '__proto__',
        ),
        value: fc.oneof(odd, odd.filter((v) => v !== null && v !== undefined).map(safely)),
      },
      { requiredKeys: [] },
    );
    let count = 0;
    const almost = fc.tuple(fc.constantFrom(...Object.keys(conversation(''))), odd).map(([name, value]) => ({
      ...record(INFERENCE, conversation(`odd-${count++}`)),
      attributes: [...keyValues(conversation(`odd-${count}`)), { key: name, value: safely(value) }],
    }));
    const log = fc.oneof(
      odd,
      almost,
      fc.record(
        {
          eventName: fc.oneof(fc.constantFrom(INFERENCE, EVALUATION), odd),
          timeUnixNano: fc.oneof(fc.constantFrom<unknown>('1', 1e30, '1790000000000000000'), odd),
          traceId: fc.oneof(fc.constant(TRACE), odd),
          spanId: fc.oneof(fc.constant(SPAN), odd),
          body: odd,
          attributes: fc.oneof(fc.array(attribute, { maxLength: 20 }), odd),
        },
        { requiredKeys: [] },
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(log, { maxLength: 5 }), async (records) => {
        const answer = await send(request(records));
        expect(answer.status).toBeLessThan(500);
      }),
      { numRuns: 300 },
    );
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.boolean(), async (bytes, zipped) => {
        const body = Buffer.from(bytes);
        const headers = { 'content-type': 'application/x-protobuf', ...(zipped ? { 'content-encoding': 'gzip' } : {}) };
        expect((await send(zipped && bytes.length % 2 === 0 ? gzipSync(body) : body, headers)).status).toBeLessThan(
          500,
        );
      }),
      { numRuns: 300 },
    );
  });

  it('reads a value nested a thousand deep as too deep, and the record beside it', async () => {
    let nested: Json = { stringValue: 'x' };
    for (let i = 0; i < 1_000; i++) nested = { arrayValue: { values: [nested] } };
    const deep = { eventName: INFERENCE, attributes: [{ key: 'a', value: nested }] };
    const { rejected, message } = await sent(request([deep, record(INFERENCE, conversation('chatcmpl-beside'))]));
    expect({ rejected, message }).toEqual({ rejected: 1, message: 'rejected: 1 × a value is nested too deep.' });
    expect(await stored('chatcmpl-beside')).toHaveLength(1);
    const text = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
    expect(
      (await sent(request([record(INFERENCE, conversation('chatcmpl-deep', { 'gen_ai.input.messages': text }))])))
        .rejected,
    ).toBe(1);
  });

  it('asks to try again later while Postgres is away, and stores each record once', async () => {
    const { hostname, port } = new URL(inject('adminDatabaseUrl'));
    const postgres = await startCuttableProxy(hostname, Number(port || 5432));
    const cut = await startTestServer({
      through: (url) => Object.assign(new URL(url), { host: `127.0.0.1:${postgres.port}` }).href,
    });
    try {
      await seedModel(cut, 'support');
      const own = await cut.key('ingest');
      const post = (type = 'application/json') =>
        fetch(`${cut.url}/v1/logs`, {
          method: 'POST',
          headers: { authorization: `Bearer ${own}`, 'content-type': type },
          body:
            type === 'application/json'
              ? JSON.stringify(request([record(INFERENCE, conversation('chatcmpl-away'))]))
              : new Uint8Array([0x0a, 0x04, 0x12, 0x02, 0x12, 0x00]),
        });
      expect((await post('application/x-protobuf')).status).toBe(200);
      await postgres.cut();
      const refused = await post();
      expect([refused.status, refused.headers.get('retry-after'), await refused.json()]).toEqual([
        503,
        '5',
        { code: 14, message: expect.any(String) },
      ]);
      await postgres.restore();
      await expect.poll(async () => (await post()).status).toBe(200);
      const { rows } = await cut.db.pool.query("SELECT id FROM interactions WHERE external_id = 'chatcmpl-away'");
      expect(rows).toHaveLength(1);
    } finally {
      await cut.close();
      await postgres.close();
    }
  });
});

function safely(value: unknown): unknown {
  try {
    return anyValue(value);
  } catch {
    return value;
  }
}
