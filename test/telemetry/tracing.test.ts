import { readFileSync } from 'node:fs';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hashSubject } from '../../src/interactions/index.js';
import { createLogger, openTracing, type Tracing } from '../../src/telemetry/index.js';
import {
  SUBJECT_KEY,
  seedExperiment,
  seedModel,
  seedVersion,
  startTestServer,
  type TestServer,
} from '../http/support.js';
import { type OtlpCollector, startOtlpCollector } from '../support/otlp-collector.js';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const CANARY = 'canary-4711';

let collector: OtlpCollector;
let tracing: Tracing | undefined;
let server: TestServer | undefined;
const log: string[] = [];

beforeAll(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('OTEL_')) delete process.env[name];
});
afterEach(async () => {
  await server?.close();
  await tracing?.close();
  await collector?.close();
  server = tracing = undefined;
  log.length = 0;
  for (const name of Object.keys(process.env)) if (name.startsWith('OTEL_')) delete process.env[name];
});

/** A server that sends spans to a collector of its own; the SDK reads the process's variables itself. */
async function start(variables: Record<string, string> = {}): Promise<{ server: TestServer; key: string }> {
  collector = await startOtlpCollector();
  Object.assign(process.env, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ...variables });
  const logger = createLogger('test', 'trace', { write: (line: string) => void log.push(line) });
  tracing = await openTracing(process.env, { version: '1.2.3', logger });
  server = await startTestServer(tracing === undefined ? {} : { tracing });
  await seedModel(server, 'support');
  return { server, key: await server.key('serve') };
}

const chat = (at: TestServer, key: string, body: Record<string, unknown> = {}, headers: Record<string, string> = {}) =>
  at.request('/v1/chat/completions', {
    key,
    headers,
    body: { model: 'support', user: 'ada', messages: [{ role: 'user', content: CANARY }], ...body },
  });

/** Closing sends what was not sent yet. */
async function spans() {
  await tracing?.close();
  return collector.spans;
}

describe('spans of the gateway', () => {
  it.each([
    ['http/protobuf', 'application/x-protobuf'],
    ['http/json', 'application/json'],
  ])('continue the trace of the client and are sent by %s', async (protocol, type) => {
    const { server, key } = await start({ OTEL_EXPORTER_OTLP_PROTOCOL: protocol, OTEL_SERVICE_NAME: 'desk' });
    const before = Date.now();
    const answer = await chat(
      server,
      key,
      { temperature: 0.5, max_tokens: 32, seed: 7, n: 2, response_format: { type: 'json_object' } },
      { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: 'vendor=1' },
    );
    const { id } = (await answer.json()) as { id: string };
    const [span, ...more] = await spans();
    expect(more).toEqual([]);
    expect(collector.exports).toEqual([`/v1/traces ${type}`]);
    expect(span).toMatchObject({
      name: 'chat support',
      kind: 3,
      traceId: TRACE,
      parentSpanId: PARENT,
      status: 0,
      resource: { 'service.name': 'desk', 'service.version': '1.2.3', 'telemetry.sdk.language': 'nodejs' },
      attributes: {
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'openai',
        'gen_ai.request.model': 'support',
        'gen_ai.request.temperature': 0.5,
        'gen_ai.request.max_tokens': 32,
        'gen_ai.request.seed': 7,
        'gen_ai.request.choice.count': 2,
        'gen_ai.output.type': 'json',
        'gen_ai.response.id': id,
        'gen_ai.response.model': 'base',
        'gen_ai.response.finish_reasons': ['stop'],
        'gen_ai.usage.input_tokens': expect.any(Number),
        'gen_ai.usage.output_tokens': expect.any(Number),
        'server.address': '127.0.0.1',
        'server.port': Number(new URL(server.upstream.url).port),
        'understudy.model': 'support',
        'understudy.version': 1,
        'understudy.interaction': id,
      },
    });
    expect(span!.startedAtMs).toBeGreaterThanOrEqual(before - 1);
    expect(span!.endedAtMs).toBeGreaterThanOrEqual(span!.startedAtMs);
    expect(server.upstream.requests[0]!.headers).toMatchObject({
      traceparent: `00-${TRACE}-${span!.spanId}-01`,
      tracestate: 'vendor=1',
    });
  });

  it('carry no text of a conversation, no subject and no key', async () => {
    const { server, key } = await start();
    await chat(
      server,
      key,
      { stop: [CANARY], metadata: { user_id: 'ada' } },
      { 'x-understudy-session': 'session-ada' },
    );
    server.upstream.behave({ status: 400, body: JSON.stringify({ error: { message: CANARY } }) });
    await chat(server, key);
    expect(await spans()).toHaveLength(2);
    const sent = Buffer.concat(collector.bodies).toString('latin1');
    for (const secret of [CANARY, 'ada', hashSubject(SUBJECT_KEY, 'ada'), key, 'answer of']) {
      expect(sent).not.toContain(secret);
    }
  });

  it('name experiment, arm and assigned version, also when the champion answers for a challenger', async () => {
    const { server, key } = await start();
    await seedVersion(server.db, 'support', 2);
    const experiment = await seedExperiment(server, 'support', { share: 0.5 });
    server.upstream.behave({ status: 503 }, 'support-v2');
    for (let i = 0; i < 12; i++) await chat(server, key, { user: `user-${i}` });
    const all = (await spans()).map(({ attributes }) => attributes);
    expect(all).toHaveLength(12);
    for (const attributes of all) {
      const challenger = attributes['understudy.arm'] === 'challenger';
      expect(attributes).toMatchObject({
        'understudy.experiment': experiment,
        'understudy.assigned_version': challenger ? 2 : 1,
        'understudy.version': 1,
      });
      expect(attributes['understudy.fallback']).toBe(challenger ? true : undefined);
      expect(attributes['error.type']).toBeUndefined();
    }
    expect(new Set(all.map((attributes) => attributes['understudy.arm']))).toEqual(new Set(['champion', 'challenger']));
  });

  it('say why a call failed, in few words', async () => {
    const { server, key } = await start();
    server.upstream.behave({ status: 429 });
    await chat(server, key);
    server.upstream.behave({ instead: 'hang' });
    await chat(server, key);
    expect((await spans()).map(({ status, attributes }) => [status, attributes['error.type']])).toEqual([
      [2, '429'],
      [2, 'timeout'],
    ]);
  });

  it('end with the stream and know its tokens', async () => {
    const { server, key } = await start();
    const chunk = (delta: unknown, rest: Record<string, unknown> = {}) =>
      `data: ${JSON.stringify({ id: 'x', model: 'base', choices: [{ index: 0, delta }], ...rest })}\n\n`;
    server.upstream.behave({
      gapMs: 50,
      pieces: [
        chunk({ role: 'assistant', content: 'a' }),
        `data: ${JSON.stringify({ id: 'x', model: 'base', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })}\n\n`,
        `data: ${JSON.stringify({ id: 'x', choices: [], usage: { prompt_tokens: 5, completion_tokens: 1 } })}\n\n`,
        'data: [DONE]\n\n',
      ],
    });
    await (await chat(server, key, { stream: true })).text();
    const [span] = await spans();
    expect(span!.attributes).toMatchObject({
      'gen_ai.request.stream': true,
      'gen_ai.usage.input_tokens': 5,
      'gen_ai.usage.output_tokens': 1,
      'gen_ai.response.finish_reasons': ['stop'],
    });
    expect(span!.endedAtMs - span!.startedAtMs).toBeGreaterThan(100);
  });

  it('follow the sampler: what is not sampled is not sent, and the upstream is told', async () => {
    const { server, key } = await start({ OTEL_TRACES_SAMPLER: 'always_off' });
    await chat(server, key, {}, { traceparent: `00-${TRACE}-${PARENT}-01` });
    expect(await spans()).toEqual([]);
    expect(server.upstream.requests[0]!.headers.traceparent).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`));
  });

  it('do not hold anything up while the collector fails, and one line says so', async () => {
    const { server, key } = await start({ OTEL_BSP_SCHEDULE_DELAY: '20' });
    collector.status = 400;
    for (let i = 0; i < 3; i++) {
      expect((await chat(server, key)).status).toBe(200);
      const sent = collector.exports.length;
      await expect.poll(() => collector.exports.length).toBeGreaterThan(sent);
    }
    await spans();
    expect(log.filter((line) => line.includes('spans not sent'))).toHaveLength(1);
    expect(log.join('')).not.toContain(CANARY);
  });
});

describe('openTracing', () => {
  const logger = createLogger('test', 'trace', { write: (line: string) => void log.push(line) });
  const open = (environment: Record<string, string>) => openTracing(environment, { version: '1', logger });

  it('is off without an endpoint, when the SDK is disabled and when traces are exported nowhere', async () => {
    expect(await open({})).toBeUndefined();
    const OTEL_EXPORTER_OTLP_ENDPOINT = 'http://127.0.0.1:4318';
    expect(await open({ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SDK_DISABLED: 'true' })).toBeUndefined();
    expect(await open({ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_EXPORTER: 'none' })).toBeUndefined();
    expect(log).toEqual([]);
  });

  it('is on with the variables that docs/telemetry.md shows', async () => {
    const example = /```sh\n([\s\S]*?)```/.exec(readFileSync('docs/telemetry.md', 'utf8'))![1]!;
    const shown = await open(
      Object.fromEntries(
        example
          .trim()
          .split('\n')
          .map((line) => line.split('=')),
      ),
    );
    expect(shown).toBeDefined();
    await shown!.close();
  });

  it('warns of a protocol that is not spoken here and goes on without', async () => {
    const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4317', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' };
    expect(await open(environment)).toBeUndefined();
    expect(log.join('')).toContain('http/protobuf');
  });
});
