import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, inject, it } from 'vitest';
import { hashSubject } from '../../src/interactions/index.js';
import { eventually, SUBJECT_KEY, seedModel, startTestServer, type TestServer } from '../http/support.js';
import { type CuttableProxy, startCuttableProxy } from '../support/cuttable-proxy.js';

let server: TestServer;
let postgres: CuttableProxy;
let folder: string;
let key: string;

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'understudy-redact-'));
  const admin = new URL(inject('adminDatabaseUrl'));
  postgres = await startCuttableProxy(admin.hostname, Number(admin.port || 5432));
  server = await startTestServer({
    spool: { folder, maxBytes: 10_000_000 },
    through(databaseUrl) {
      const url = new URL(databaseUrl);
      url.hostname = '127.0.0.1';
      url.port = String(postgres.port);
      return url.href;
    },
  });
  await seedModel(server, 'careful', { capture: { redact_at: 'capture' } });
  await seedModel(server, 'plain');
  key = await server.key(['serve', 'ingest']);
});
afterAll(async () => {
  await server.close();
  await postgres.close();
  fs.rmSync(folder, { recursive: true });
});
beforeEach(() => server.upstream.reset());

const QUESTION = 'I am jane@example.org, call 555-123-4567';
const ANSWER = 'Welcome, jane@example.org';

async function ask(model: string, more: Record<string, unknown> = {}): Promise<string> {
  const body = { model, messages: [{ role: 'user', content: QUESTION }], user: 'jane@example.org', ...more };
  const answer = await server.request('/v1/chat/completions', { key, body });
  expect([answer.status, (await answer.text()).includes('jane@example.org')]).toEqual([200, true]);
  return answer.headers.get('x-understudy-interaction') ?? '';
}
const stored = (id: string) =>
  eventually(() => server.db.prisma.interaction.findFirstOrThrow({ where: { id } }), 15_000);
const message = { role: 'assistant', content: ANSWER };
const completion = JSON.stringify({ id: 'c-1', choices: [{ index: 0, message, finish_reason: 'stop' }] });
const pieces = ['Welcome, jane@exa', 'mple.org'].map(
  (content) => `data: ${JSON.stringify({ id: 'c-1', choices: [{ index: 0, delta: { content } }] })}\n\n`,
);

it('lets the client and the upstream see everything, and stores no personal data, streamed or whole', async () => {
  server.upstream.behave({ body: completion });
  const whole = await stored(await ask('careful'));
  expect(server.upstream.requests[0]?.text).toContain(QUESTION);
  server.upstream.behave({
    pieces: [
      `data: {"choices":[{"index":0,"delta":{"content":"jane@example.org "}}]}\n\n`,
      ...pieces,
      'data: [DONE]\n\n',
    ],
  });
  const streamed = await stored(await ask('careful', { stream: true }));
  for (const row of [whole, streamed]) {
    expect(row.request).toMatchObject({
      messages: [{ content: 'I am [EMAIL], call [PHONE]' }],
      user: hashSubject(SUBJECT_KEY, 'jane@example.org'),
    });
    expect(row.subject).toBe(hashSubject(SUBJECT_KEY, 'jane@example.org'));
  }
  expect(whole.response).toMatchObject({ choices: [{ message: { content: 'Welcome, [EMAIL]' } }] });
  expect(streamed.response).toMatchObject({ choices: [{ message: { content: '[EMAIL] Welcome, [EMAIL]' } }] });
});

it('leaves another model as it is', async () => {
  server.upstream.behave({ body: completion });
  expect((await stored(await ask('plain'))).request).toMatchObject({ messages: [{ content: QUESTION }] });
});

it('writes none to the spool while Postgres is away, and stores it once afterwards', async () => {
  server.upstream.behave({ body: completion });
  await postgres.cut();
  const ids: string[] = [];
  for (let n = 0; n < 5; n++) ids.push(await ask('careful'));
  await eventually(async () => expect(server.app.gateway.stats()).toMatchObject({ queued: 0, dropped: 0 }), 15_000);
  const spooled = fs
    .readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.spool'))
    .flatMap((file) => fs.readFileSync(path.join(folder, file), 'utf8').split('\n'))
    // A busy machine spools what others ask, too.
    .filter((line) => line.includes('"model":"careful"'));
  expect(spooled.length).toBeGreaterThanOrEqual(5);
  for (const line of spooled) {
    expect(line).toContain('[EMAIL]');
    expect(line).not.toMatch(/jane@|555-123/);
  }
  await postgres.restore();
  for (const id of ids)
    expect((await stored(id)).request).toMatchObject({ messages: [{ content: 'I am [EMAIL], call [PHONE]' }] });
});

it('answers others while a long request is redacted', async () => {
  server.upstream.behave({ body: completion });
  const long = `${QUESTION} `.repeat(60_000);
  const id = await ask('careful', { messages: [{ role: 'user', content: long }] });
  let answered = 0;
  const waiting = () => server.app.gateway.stats().queued > 0;
  for (; waiting(); answered += 1) expect((await server.request('/healthz')).status).toBe(200);
  expect(answered).toBeGreaterThan(0);
  const { request } = await stored(id);
  expect(JSON.stringify(request)).not.toContain('jane');
});
