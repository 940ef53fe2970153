import { afterAll, beforeAll, expect, it } from 'vitest';
import { seedModel, startTestServer, type TestServer } from './support.js';

const CANARY = 'canary-4711';
let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
  await seedModel(server, 'support');
});
afterAll(() => server.close());

it('no text, subject or key reaches the log, at any level, whatever goes well or wrong', async () => {
  const key = await server.key('admin');
  const messages = [{ role: 'user', content: CANARY }];
  const chat = (body: unknown) =>
    server.request('/v1/chat/completions', {
      key,
      body,
      headers: { 'x-understudy-subject': CANARY, traceparent: CANARY },
    });
  const ask = { model: 'support', messages, user: CANARY, [CANARY]: 1 };
  await chat(ask);
  for (const behaviour of [
    { status: 500, body: JSON.stringify({ error: { message: CANARY } }) },
    { status: 400, body: CANARY },
    { body: CANARY },
    { instead: 'close' },
  ] as const) {
    server.upstream.behave(behaviour);
    await chat(ask);
  }
  await chat(`{"model":"support","${CANARY}`);
  await chat({ ...ask, model: CANARY });
  for (const piece of [`data: {"error":{"message":"${CANARY}"}}\n\n`, `data: ${CANARY}`]) {
    server.upstream.behave({ pieces: [piece] });
    await (await chat({ ...ask, stream: true })).text();
  }

  const record = {
    external_id: CANARY,
    timestamp: '2026-11-01T12:00:00Z',
    model: 'support',
    subject: CANARY,
    request: { messages },
    response: { choices: [{ message: { content: CANARY } }] },
    feedback: [{ kind: 'correction', value: CANARY }],
  };
  const batch = (body: unknown) => server.request('/v1/interactions', { key, body });
  await batch({
    interactions: [
      record,
      { ...record, response: { choices: [{ message: CANARY }] } },
      { ...record, kind: CANARY },
      CANARY,
    ],
  });
  await batch({ interactions: CANARY });
  await batch(`{"interactions":[{"${CANARY}"`);
  await server.request('/v1/feedback', {
    key,
    body: { feedback: [{ model: 'support', external_id: CANARY, kind: 'comment', value: CANARY }] },
  });
  await server.request(`/api/v1/models/${CANARY}?cursor=${CANARY}`, { key });
  await server.request(`/${CANARY}?subject=${CANARY}`, { key });
  await server.request('/api/v1/models', { key: `us_${CANARY}`, headers: { cookie: CANARY } });

  // Postgres quotes values in its messages: let it.
  await server.db.pool.query('ALTER TABLE feedback ADD CONSTRAINT broken CHECK (source <> $$breaks$$)');
  await server.request('/v1/feedback', {
    key,
    body: { feedback: [{ model: 'support', external_id: CANARY, kind: 'comment', value: CANARY, source: 'breaks' }] },
  });
  await server.db.pool.query('ALTER TABLE interactions RENAME COLUMN tags TO labels');
  const failed = await batch({ interactions: [{ ...record, external_id: `${CANARY}-2` }] });
  expect(failed.status).toBe(500);
  expect(await failed.text()).not.toContain(CANARY);
  await chat(ask);
  await server.app.close();

  expect(server.log.length).toBeGreaterThan(20);
  for (const secret of [CANARY, key, 'UPSTREAM_KEY']) {
    expect(server.log.filter((line) => line.includes(secret))).toEqual([]);
  }
});
