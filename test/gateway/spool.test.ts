import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { ROOT } from '#setup/toolchain.mjs';
import { freePort } from '../../src/dev/free-port.js';
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
let key: string;
let throughProxy = '';
let experiment: string;

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'understudy-spool-'));
  const admin = new URL(inject('adminDatabaseUrl'));
  postgres = await startCuttableProxy(admin.hostname, Number(admin.port || 5432));
  server = await startTestServer({
    spool: { folder: path.join(folder, 'in-process'), maxBytes: 60_000 },
    captureLimits: { items: 10 },
    through(databaseUrl) {
      const url = new URL(databaseUrl);
      url.hostname = '127.0.0.1';
      url.port = String(postgres.port);
      throughProxy = url.href;
      return url.href;
    },
  });
  await seedModel(server, 'support');
  await seedVersion(server.db, 'support', 2);
  experiment = await seedExperiment(server, 'support');
  key = await server.key(['serve']);
});
afterAll(async () => {
  await server.close();
  await postgres.close();
  fs.rmSync(folder, { recursive: true });
});

async function ask(url: string, user: string): Promise<string> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'support', messages: [{ role: 'user', content: 'x' }], user }),
  });
  expect(response.status).toBe(200);
  return response.headers.get('x-understudy-interaction') ?? '';
}
const stored = (ids: string[]) => server.db.prisma.interaction.count({ where: { id: { in: ids } } });
const stats = () => server.app.gateway.stats();

it('spools what Postgres cannot take, stores it exactly once afterwards, and counts what the spool had no room for', async () => {
  const before = await ask(server.url, 'before');
  await eventually(async () => expect(stats()).toMatchObject({ captured: 1, queued: 0 }));
  await postgres.cut();
  const ids = [before];
  for (let n = 0; n < 20; n++) ids.push(await ask(server.url, `away-${n}`));
  await eventually(async () => expect(stats()).toMatchObject({ queued: 0, spooled: 40, dropped: 0 }));
  const later: string[] = [];
  for (let n = 0; n < 80; n++) later.push(await ask(server.url, `later-${n}`));
  const { spooled, queued, dropped, spoolBytes } = stats();
  expect(dropped).toBeGreaterThan(0);
  expect(spooled + queued + dropped).toBe(200);
  expect(spoolBytes).toBeLessThanOrEqual(60_000);
  const spoolText = fs
    .readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.spool'))
    .map((file) => fs.readFileSync(path.join(folder, file), 'utf8'))
    .join('');
  expect(spoolText).not.toContain('away-');

  await postgres.restore();
  await eventually(async () => expect(stats()).toMatchObject({ queued: 0, spoolBytes: 0 }), 15_000);
  expect(stats()).toMatchObject({ replayed: spooled, dropped, torn: 0 });
  expect(await stored(ids)).toBe(21);
  expect(await server.db.prisma.interaction.count()).toBe(stats().captured);
  expect(await server.db.prisma.exposure.count({ where: { experimentId: experiment } })).toBe(stats().exposures);
  expect(stats().captured + stats().exposures + dropped).toBe(202);
});

it('stores what a server killed with SIGKILL had spooled, once another runs', { timeout: 120_000 }, async () => {
  // As it is shipped: only a process of its own can be killed.
  const program = path.join(ROOT, 'dist', 'src', 'server.js');
  const spool = path.join(folder, 'killed');
  const children: ChildProcess[] = [];
  const start = async () => {
    const port = await freePort();
    const child = spawn(process.execPath, [program], {
      stdio: 'ignore',
      env: {
        ...process.env,
        DATABASE_URL: throughProxy,
        UNDERSTUDY_SUBJECT_KEY: SUBJECT_KEY,
        UNDERSTUDY_SPOOL: spool,
        UNDERSTUDY_STATE: path.join(folder, 'state'),
        UNDERSTUDY_ARTIFACTS: path.join(folder, 'artifacts'),
        UNDERSTUDY_PORT: String(port),
        UPSTREAM_KEY: 'secret',
      },
    });
    children.push(child);
    const url = `http://127.0.0.1:${port}`;
    await eventually(async () => expect((await fetch(`${url}/readyz`)).status).toBe(200), 20_000);
    return { child, url };
  };
  try {
    const first = await start();
    const ids = [await ask(first.url, 'known')];
    await eventually(async () => expect(await stored(ids)).toBe(1));
    // Stored is not yet done: the server still looks whether feedback waited for it.
    await eventually(async () => {
      const metrics = await (await fetch(`${first.url}/metrics`)).text();
      expect(metrics).toContain('understudy_captured_interactions_total 1');
    });
    await postgres.cut();
    for (let n = 0; n < 25; n++) ids.push(await ask(first.url, `killed-${n}`));
    await eventually(async () => {
      const metrics = await (await fetch(`${first.url}/metrics`)).text();
      expect(metrics).toContain('understudy_queued_captures 0');
      expect(metrics).toContain('understudy_spooled_captures_total 50');
    });
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    await postgres.restore();
    expect(await stored(ids)).toBe(1);
    await start();
    await eventually(async () => expect(await stored(ids)).toBe(26), 20_000);
  } finally {
    for (const child of children) {
      if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await once(child, 'exit');
    }
  }
});
