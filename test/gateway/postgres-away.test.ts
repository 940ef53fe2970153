import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { createDb } from '../../src/db/index.js';
import { openCaptureQueue } from '../../src/gateway/capture-queue.js';
import { hashSubject, newId } from '../../src/interactions/index.js';
import { isInSecondArm } from '../../src/routing/index.js';
import { createLogger } from '../../src/telemetry/index.js';
import {
  eventually,
  SUBJECT_KEY,
  seedExperiment,
  seedModel,
  seedVersion,
  startTestServer,
  type TestServer,
} from '../http/support.js';
import { type CuttableProxy, startCuttableProxy } from '../support/cuttable-proxy.js';

let server: TestServer;
let postgres: CuttableProxy;
let serve: string;
let experiment: string;
/** Added to the clock of the route follower: a minute passes in no time. */
let passed = 0;

async function start(captureLimits = {}): Promise<void> {
  server = await startTestServer({
    captureLimits,
    clock: () => performance.now() + passed,
    through(databaseUrl) {
      const url = new URL(databaseUrl);
      url.hostname = '127.0.0.1';
      url.port = String(postgres.port);
      return url.href;
    },
  });
  await seedModel(server, 'support');
  await seedVersion(server.db, 'support', 2);
  experiment = await seedExperiment(server, 'support');
  serve = await server.key(['serve', 'ingest', 'read']);
}

beforeAll(async () => {
  // The proxy has to know where Postgres is before the server does.
  const admin = new URL(inject('adminDatabaseUrl'));
  postgres = await startCuttableProxy(admin.hostname, Number(admin.port || 5432));
  await start({ items: 30 });
});
afterAll(async () => {
  await server.close();
  await postgres.close();
});

const ask = (user: string) =>
  server.request('/v1/chat/completions', {
    key: serve,
    body: { model: 'support', messages: [{ role: 'user', content: 'x' }], user },
  });
const armOf = (user: string) =>
  isInSecondArm(experiment, hashSubject(SUBJECT_KEY, user), 0.5) ? 'challenger' : 'champion';

it('goes on with the last route, keeps captures up to its limit, counts what it drops, and writes the rest afterwards', async () => {
  expect((await ask('before')).status).toBe(200);
  // Not a count of rows: those are there before the server knows.
  await eventually(async () => expect(server.app.gateway.stats()).toMatchObject({ captured: 1, queued: 0 }));
  await postgres.cut();

  const users = Array.from({ length: 40 }, (_, n) => `away-${n}`);
  for (const user of users) {
    const answer = await ask(user);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('x-understudy-arm')).toBe(armOf(user));
    expect(answer.headers.get('x-understudy-version')).toBe(armOf(user) === 'champion' ? '1' : '2');
  }
  expect(server.app.gateway.stats()).toMatchObject({ captured: 1, queued: 60, dropped: 20 });
  expect(server.log.some((line) => line.includes('captures are being dropped'))).toBe(true);

  // Health does not need Postgres, readiness does, and our own surface says what is wrong.
  expect((await server.request('/healthz')).status).toBe(200);
  const ready = await server.request('/readyz');
  expect(ready.status).toBe(503);
  expect(await ready.json()).toMatchObject({ error: { code: 'database_unreachable' } });
  const batch = await server.request('/v1/feedback', {
    key: serve,
    body: { feedback: [{ model: 'support', external_id: 'x', kind: 'copied' }] },
  });
  expect(batch.status).toBe(503);
  expect(await batch.json()).toMatchObject({ error: { code: 'database_unreachable' } });

  const models = await server.request('/api/v1/models', { key: serve });
  expect([models.status, await models.json()]).toMatchObject([503, { error: { code: 'database_unreachable' } }]);

  await postgres.restore();
  await eventually(async () => {
    expect(server.app.gateway.stats()).toMatchObject({ captured: 31, queued: 0, dropped: 20 });
    expect(await server.db.prisma.interaction.count()).toBe(31);
    expect(await server.db.prisma.exposure.count({ where: { experimentId: experiment } })).toBe(31);
  }, 15_000);
  await eventually(async () => expect((await server.request('/readyz')).status).toBe(200), 10_000);
});

it('lets the champion answer once the route has not been read for valid_for, and records the arms all the same', async () => {
  await postgres.cut();
  passed += 61_000;
  const users = Array.from({ length: 8 }, (_, n) => `expired-${n}`);
  const ids = new Map<string, string>();
  for (const user of users) {
    const answer = await ask(user);
    expect(answer.headers.get('x-understudy-version')).toBe('1');
    expect(answer.headers.get('x-understudy-arm')).toBe(armOf(user));
    ids.set(answer.headers.get('x-understudy-interaction') ?? '', user);
  }
  await postgres.restore();
  await eventually(async () => {
    const rows = await server.db.prisma.interaction.findMany({ where: { id: { in: [...ids.keys()] } } });
    expect(rows).toHaveLength(users.length);
    for (const row of rows) {
      const arm = armOf(ids.get(row.id) ?? '');
      expect(row).toMatchObject({ version: 1, arm, assignedVersion: arm === 'champion' ? 1 : 2, tags: {} });
    }
  }, 15_000);
});

it('answers what is under way and writes what still waits when it is closed', async () => {
  await eventually(async () => expect((await ask('last')).status).toBe(200), 10_000);
  server.upstream.behave({ delayMs: 300 });
  const pending = ask('very-last');
  await eventually(async () => expect(server.upstream.requests.at(-1)?.body.user).toBe('very-last'));
  await server.app.close();
  const answer = await pending;
  expect(answer.status).toBe(200);
  const id = answer.headers.get('x-understudy-interaction') ?? '';
  expect(await server.db.prisma.interaction.count({ where: { id } })).toBe(1);
  expect(server.app.gateway.stats().queued).toBe(0);
});

it('says what it lost when Postgres does not come back before it is closed', async () => {
  const lines: string[] = [];
  const logger = createLogger('test', 'info', { write: (line: string) => void lines.push(line) });
  const nobody = createDb('postgres://nobody@127.0.0.1:9/none');
  const queue = openCaptureQueue(nobody, logger);
  const [experimentId, subject] = [newId(), 'a'.repeat(64)];
  queue.exposure({ experimentId, subject, arm: 'champion', version: 1, exposedAt: new Date() });
  await queue.close(300);
  expect(queue.stats()).toMatchObject({ queued: 0, dropped: 1, exposures: 0 });
  expect(lines.some((line) => line.includes('captures were lost'))).toBe(true);
  await nobody.close();
});
