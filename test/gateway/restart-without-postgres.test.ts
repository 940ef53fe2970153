import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { FastifyInstance } from 'fastify';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { createDb, type Db } from '../../src/db/index.js';
import { createServer } from '../../src/http/index.js';
import { hashSubject } from '../../src/interactions/index.js';
import { followRoutes, isInSecondArm } from '../../src/routing/index.js';
import { type StateFolder, stateOwner } from '../../src/state/index.js';
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
let folder: string;
let state: StateFolder;
let throughProxy = '';
let experiment: string;
const stops: (() => Promise<void>)[] = [];

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'understudy-restart-'));
  const admin = new URL(inject('adminDatabaseUrl'));
  postgres = await startCuttableProxy(admin.hostname, Number(admin.port || 5432));
  server = await startTestServer({
    through(databaseUrl) {
      const url = new URL(databaseUrl);
      url.hostname = '127.0.0.1';
      url.port = String(postgres.port);
      throughProxy = url.href;
      return databaseUrl;
    },
  });
  state = { folder: path.join(folder, 'state'), owner: stateOwner(throughProxy), key: SUBJECT_KEY };
  await seedModel(server, 'support');
  await seedVersion(server.db, 'support', 2);
  experiment = await seedExperiment(server, 'support');
});
afterEach(async () => {
  await postgres.restore();
  for (const stop of stops.splice(0)) await stop();
});
afterAll(async () => {
  await server.close();
  await postgres.close();
  fs.rmSync(folder, { recursive: true });
});

interface Process {
  app: FastifyInstance;
  url: string;
  log: string[];
  /** As a process that ends: its memory is gone. */
  stop(): Promise<void>;
}

/** A server of its own on the same database, as another process would be. */
async function start(clock?: () => number): Promise<Process> {
  const db: Db = createDb(throughProxy, { max: 4 });
  const log: string[] = [];
  const routes = await followRoutes(db, {
    pollMs: 100,
    saved: { state, onIgnored: (why) => void log.push(why) },
    ...(clock ? { clock } : {}),
  });
  const app = createServer({
    db,
    subjectKey: SUBJECT_KEY,
    routes,
    state,
    spool: { folder: path.join(folder, 'spool'), maxBytes: 1_000_000 },
    operations: {
      rollBack: () => Promise.reject(new Error('not asked')),
      promote: () => Promise.reject(new Error('not asked')),
      extend: () => Promise.reject(new Error('not asked')),
      resume: () => Promise.reject(new Error('not asked')),
      startShadow: () => Promise.reject(new Error('not asked')),
    },
    secrets: (reference) => (reference === null ? undefined : 'secret value'),
    logger: createLogger('server', 'trace', { write: (line: string) => void log.push(line) }),
  });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  const stop = async () => {
    await app.close();
    await routes.close();
    await db.close();
  };
  stops.push(stop);
  return { app, url, log, stop };
}

async function ask({ app }: Process, user: string): Promise<{ status: number; headers: Record<string, string> }> {
  const { status, headers } = await app.gateway.answer({
    endpoint: 'chat/completions',
    body: Buffer.from(JSON.stringify({ model: 'support', messages: [{ role: 'user', content: 'x' }], user })),
    headers: {},
    caller: 'the test',
    maySee: () => true,
    client: new AbortController().signal,
  });
  return { status, headers };
}
const armOf = (user: string) =>
  isInSecondArm(experiment, hashSubject(SUBJECT_KEY, user), 0.5) ? 'challenger' : 'champion';
const metric = async ({ url }: Process, name: string) =>
  new RegExp(`^${name} (.*)$`, 'm').exec(await (await fetch(`${url}/metrics`)).text())?.[1];

/** Lets a server learn everything, and stops it. */
async function learn(): Promise<void> {
  const first = await start();
  expect((await ask(first, 'before')).status).toBe(200);
  await eventually(async () =>
    expect(fs.readdirSync(state.folder)).toEqual(expect.arrayContaining(['directory', 'routes'])),
  );
  stops.pop();
  await first.stop();
}

describe('a server that starts while Postgres is away', () => {
  it('serves the last known good at once, and says so', async () => {
    await learn();
    await postgres.cut();
    const startedAt = performance.now();
    const second = await start();
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    for (let n = 0; n < 20; n++) {
      const { status, headers } = await ask(second, `away-${n}`);
      const arm = armOf(`away-${n}`);
      expect([status, headers['x-understudy-arm']]).toEqual([200, arm]);
      expect(headers['x-understudy-version']).toBe(arm === 'champion' ? '1' : '2');
    }
    const ready = await fetch(`${second.url}/readyz`);
    expect(ready.status).toBe(503);
    expect(((await ready.json()) as { error: { message: string } }).error.message).toMatch(
      /routes read \d+ s ago are in force/,
    );
    expect(await metric(second, 'understudy_routes_saved')).toBe('1');
    expect(await metric(second, 'understudy_routes_listening')).toBe('0');
    expect(Number(await metric(second, 'understudy_routes_age_seconds'))).toBeGreaterThan(0);

    await postgres.restore();
    await eventually(async () => expect((await fetch(`${second.url}/readyz`)).status).toBe(200), 15_000);
    expect(await metric(second, 'understudy_routes_saved')).toBe('0');
    expect(await metric(second, 'understudy_routes_listening')).toBe('1');
  });

  it('lets the champion answer alone once the routes are older than valid_for, and gives arms all the same', async () => {
    await learn();
    await postgres.cut();
    let passed = 0;
    const second = await start(() => performance.now() + passed);
    passed = 61_000;
    const users = Array.from({ length: 20 }, (_, n) => `expired-${n}`);
    expect(new Set(users.map(armOf)).size).toBe(2);
    for (const user of users) {
      const { status, headers } = await ask(second, user);
      expect([status, headers['x-understudy-version'], headers['x-understudy-arm']]).toEqual([200, '1', armOf(user)]);
    }
  });

  it('keeps no secret and no text on disk', async () => {
    await learn();
    const kept = fs.readdirSync(state.folder).map((name) => fs.readFileSync(path.join(state.folder, name), 'utf8'));
    expect(kept.join('')).toContain(`\${UPSTREAM_KEY}`);
    expect(kept.join('')).not.toContain('secret value');
    expect(kept.join('')).not.toContain('before');
  });

  it('takes no torn file, says so, and serves as soon as Postgres is there', async () => {
    await learn();
    for (const name of ['routes', 'directory']) {
      const file = path.join(state.folder, name);
      fs.truncateSync(file, fs.statSync(file).size - 2);
    }
    await postgres.cut();
    const second = await start();
    await expect(ask(second, 'torn')).rejects.toMatchObject({ code: 'unknown_model' });
    expect(second.log.filter((line) => line.includes('not written whole'))).toHaveLength(2);
    await postgres.restore();
    await eventually(async () => expect((await ask(second, 'torn')).status).toBe(200), 15_000);
  });
});
