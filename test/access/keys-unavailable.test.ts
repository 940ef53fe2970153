import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { createDb, type Db } from '../../src/db/index.js';
import { createServer, type Operations } from '../../src/http/index.js';
import { createLogger } from '../../src/telemetry/index.js';
import { eventually, SUBJECT_KEY, seedModel, startTestServer, type TestServer } from '../http/support.js';
import { type CuttableProxy, startCuttableProxy } from '../support/cuttable-proxy.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'understudy-keys-'));
const state = { folder: path.join(folder, 'state'), owner: '0123456789abcdef', key: SUBJECT_KEY };

let server: TestServer;
let postgres: CuttableProxy;
let restarted: { app: FastifyInstance; db: Db } | undefined;

const through = (databaseUrl: string) => {
  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String(postgres.port);
  return url.href;
};

beforeAll(async () => {
  const admin = new URL(inject('adminDatabaseUrl'));
  postgres = await startCuttableProxy(admin.hostname, Number(admin.port || 5432));
  server = await startTestServer({ through, state });
  await seedModel(server, 'support');
});
afterAll(async () => {
  await restarted?.app.close();
  await restarted?.db.close();
  await server.close();
  await postgres.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Another process of the same deployment, with the same folder, that starts while Postgres is what it is. */
async function restart(): Promise<FastifyInstance> {
  await restarted?.app.close();
  await restarted?.db.close();
  const db = createDb(through(server.db.url), { max: 2 });
  const app = createServer({
    db,
    subjectKey: SUBJECT_KEY,
    routes: server.routes,
    operations: { rollBack: server.rollBack.answer } as Operations,
    secrets: () => 'x',
    state,
    logger: createLogger('server', 'silent'),
  });
  restarted = { app, db };
  await app.ready();
  return app;
}

const modelsOf = async (app: FastifyInstance, key: string) => {
  const answer = await app.inject({ url: '/v1/models', headers: { authorization: `Bearer ${key}` } });
  return [answer.statusCode, answer.json().error?.code];
};
const keysInFile = () => JSON.parse(readFileSync(path.join(state.folder, 'keys'), 'utf8').split('\n')[1]!).keys;

it('with Postgres gone, keys used before go on, also after a restart, and an unknown one gets 503 keys_unavailable', async () => {
  const [used, unused, revoked] = [await server.key('serve'), await server.key('serve'), await server.key('serve')];
  for (const key of [used, revoked]) expect(await modelsOf(server.app, key)).toEqual([200, undefined]);
  await eventually(async () => expect(keysInFile()).toHaveLength(2), 10_000);
  expect(readFileSync(path.join(state.folder, 'keys'), 'utf8')).not.toContain(used.slice(3));

  await postgres.cut();
  expect(await modelsOf(server.app, used)).toEqual([200, undefined]);
  expect(await modelsOf(server.app, unused)).toEqual([503, 'keys_unavailable']);
  const ours = await server.request('/api/v1/models', { key: await server.key('read') });
  expect(await ours.json()).toMatchObject({ error: { code: 'keys_unavailable' } });
  // Nonsense is nonsense, whoever is away.
  expect(await modelsOf(server.app, 'us_short')).toEqual([401, 'unauthorized']);

  const app = await restart();
  expect(await modelsOf(app, used)).toEqual([200, undefined]);
  expect(await modelsOf(app, unused)).toEqual([503, 'keys_unavailable']);

  // What was revoked in the meantime ends as soon as Postgres can say so, and leaves the file.
  await server.db.prisma.key.updateMany({ where: { prefix: revoked.slice(0, 9) }, data: { revokedAt: new Date() } });
  expect(await modelsOf(app, revoked)).toEqual([200, undefined]);
  await postgres.restore();
  await eventually(async () => expect(await modelsOf(app, revoked)).toEqual([401, 'unauthorized']), 15_000);
  await eventually(async () => expect(keysInFile()).toHaveLength(1), 15_000);
  await postgres.cut();
  expect(await modelsOf(await restart(), revoked)).toEqual([503, 'keys_unavailable']);
  expect(await modelsOf(restarted!.app, used)).toEqual([200, undefined]);
  await postgres.restore();
});
