import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { newId } from '../../src/interactions/index.js';
import { type CuttableProxy, startCuttableProxy } from '../support/cuttable-proxy.js';
import { eventually, seedModel, startTestServer, type TestServer } from './support.js';

let server: TestServer;
let postgres: CuttableProxy;
let key: string;

beforeAll(async () => {
  const admin = new URL(inject('adminDatabaseUrl'));
  postgres = await startCuttableProxy(admin.hostname, Number(admin.port || 5432));
  server = await startTestServer({
    through(databaseUrl) {
      const url = new URL(databaseUrl);
      url.hostname = '127.0.0.1';
      url.port = String(postgres.port);
      return url.href;
    },
  });
  await seedModel(server, 'support');
  key = await server.key('ingest');
});
afterAll(async () => {
  await server.close();
  await postgres.close();
});

const record = () => ({
  id: newId(),
  timestamp: new Date().toISOString(),
  model: 'support',
  request: { messages: [{ role: 'user', content: 'x' }] },
  response: { choices: [{ message: { role: 'assistant', content: 'y' } }] },
});
const post = async (item: unknown) => {
  const response = await server.request('/v1/interactions', { key, body: { interactions: [item] } });
  return {
    status: response.status,
    body: (await response.json()) as { error?: { code: string }; results?: { status: string }[] },
  };
};
const storedOf = (ids: string[]) => server.db.prisma.interaction.count({ where: { id: { in: ids } } });

it('answers every post of a shared transaction with 503 while Postgres is away, and stores it when it is sent again', async () => {
  expect((await post(record())).body.results?.[0]?.status).toBe('stored');
  await postgres.cut();
  const items = Array.from({ length: 40 }, record);
  const ids = items.map(({ id }) => id);
  const answers = await Promise.all(items.map(post));
  expect(new Set(answers.map(({ status, body }) => `${status} ${body.error?.code}`))).toEqual(
    new Set(['503 database_unreachable']),
  );
  expect(await storedOf(ids)).toBe(0);
  await postgres.restore();
  await eventually(async () => expect((await post(items[0])).status).toBe(200));
  const again = await Promise.all(items.map(post));
  expect(new Set(again.map(({ status }) => status))).toEqual(new Set([200]));
  expect(again.slice(1).map(({ body }) => body.results?.[0]?.status)).toEqual(items.slice(1).map(() => 'stored'));
  expect(await storedOf(ids)).toBe(40);
});

it('loses nothing it acknowledged when Postgres goes away in the middle', async () => {
  const items = Array.from({ length: 300 }, record);
  const acknowledged: string[] = [];
  const work = Promise.all(
    items.map(async (item) => {
      const { status, body } = await post(item);
      if (status === 200 && body.results?.[0]?.status === 'stored') acknowledged.push(item.id);
      else expect(`${status} ${body.error?.code}`).toBe('503 database_unreachable');
    }),
  );
  await eventually(async () => expect(acknowledged.length).toBeGreaterThan(5), 20_000);
  await postgres.cut();
  await work;
  await postgres.restore();
  expect(await storedOf(acknowledged)).toBe(acknowledged.length);
});
