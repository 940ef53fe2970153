import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import {
  eventually,
  seedExperiment,
  seedModel,
  seedVersion,
  startTestServer,
  type TestServer,
} from '../http/support.js';

let server: TestServer;
let serve: string;
let operate: string;

beforeAll(async () => {
  server = await startTestServer();
  await seedModel(server, 'support');
  await seedVersion(server.db, 'support', 2);
  await seedVersion(server.db, 'support', 3);
  await seedExperiment(server, 'support');
  serve = await server.key('serve');
  operate = await server.key('operate');
});
afterAll(() => server.close());
beforeEach(() => server.upstream.reset());

const path = '/api/v1/models/support/shadow';
const chat = (more: Record<string, unknown> = {}) =>
  server.request('/v1/chat/completions', {
    key: serve,
    body: { model: 'support', user: 'ada', messages: [{ role: 'user', content: 'Where is my parcel?' }], ...more },
  });
const copies = () => server.upstream.requests.filter(({ model }) => model === 'support-v3');
const answers = () => server.db.prisma.shadowAnswer.findMany({ orderBy: { id: 'asc' } });

async function start(share: number): Promise<void> {
  const answer = await server.request(path, {
    key: operate,
    body: { version: 3, share, for: '1h', reason: 'before the experiment' },
  });
  expect(answer.status).toBe(200);
  await eventually(async () => {
    await chat();
    if (share > 0.99) expect(copies().length).toBeGreaterThan(0);
  });
}

it('answers copies that nobody sees: stored beside, without exposure, interaction or arm of their own', async () => {
  await start(1);
  await eventually(async () => expect((await answers()).length).toBe(copies().length));
  const [known, exposed] = [(await answers()).length, await server.db.prisma.exposure.count()];
  const whole = await chat();
  expect(whole.headers.get('x-understudy-version')).not.toBe('3');
  const streamed = await chat({ stream: true, stream_options: { include_usage: true } });
  expect(await streamed.text()).toContain('[DONE]');
  const rows = await eventually(async () => {
    const found = await answers();
    expect(found).toHaveLength(known + 2);
    return found;
  });
  const ids = [whole, streamed].map((answer) => answer.headers.get('x-understudy-interaction'));
  expect(rows.slice(-2).map(({ id }) => id)).toEqual(ids);
  for (const row of rows)
    expect(row).toMatchObject({ model: 'support', version: 3, status: 'complete', failure: null });
  expect(JSON.stringify(rows.at(-1)?.response)).toContain('answer of support-v3');
  expect(copies().at(-1)?.body).toMatchObject({ stream: false, stream_options: null });
  expect(await server.db.prisma.exposure.count()).toBe(exposed);
  expect(await server.db.prisma.interaction.count({ where: { version: 3 } })).toBe(0);
});

it('is not asked what the app does not want stored, nor what names a version', async () => {
  await chat({ store: false });
  await chat({ model: 'support@1' });
  const last = (await chat()).headers.get('x-understudy-interaction');
  await eventually(async () => expect((await answers()).at(-1)?.id).toBe(last));
  expect(copies()).toHaveLength(1);
});

it('costs nobody anything when it fails or hangs', async () => {
  server.upstream.behave({ status: 500 }, 'support-v3');
  expect((await chat()).status).toBe(200);
  await eventually(async () =>
    expect((await answers()).at(-1)).toMatchObject({ status: 'failed', failure: 'status 500' }),
  );
  server.upstream.behave({ instead: 'hang' }, 'support-v3');
  const startedAt = performance.now();
  expect((await chat()).status).toBe(200);
  expect(performance.now() - startedAt).toBeLessThan(900);
  await eventually(async () => expect((await answers()).at(-1)).toMatchObject({ failure: 'timeout: time-out' }));
});

it('is shown beside what people got, and stops when it is told to', async () => {
  const read = await server.key('read');
  const report = (await (await server.request(path, { key: read })).json()) as Record<string, unknown>;
  expect(report).toMatchObject({ model: 'support', version: 3, running: { share: 1 }, failed: 2 });
  expect(report.n).toBe((await answers()).length);
  const stopped = await server.request(path, { method: 'DELETE', key: operate });
  expect(await stopped.json()).toEqual({ model: 'support', stopped: true });
  await eventually(async () => {
    server.upstream.reset();
    await chat();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(copies()).toHaveLength(0);
  });
  expect(await (await server.request(path, { method: 'DELETE', key: operate })).json()).toMatchObject({
    stopped: false,
  });
});

it('cannot be a version that answers people, was rejected, or does not exist', async () => {
  await seedVersion(server.db, 'support', 4, 'adapter', 'rejected');
  for (const [version, status, code] of [
    [1, 409, 'conflict'],
    [2, 409, 'conflict'],
    [4, 409, 'version_rejected'],
    [9, 404, 'unknown_version'],
  ] as const) {
    const answer = await server.request(path, { key: operate, body: { version, reason: 'test' } });
    expect([answer.status, await answer.json()]).toMatchObject([status, { error: { code } }]);
  }
});

it('is asked its share of the requests', async () => {
  await start(0.3);
  await eventually(async () => {
    await chat();
    expect(copies().length).toBeGreaterThan(0);
  });
  server.upstream.reset();
  const n = 200;
  for (let at = 0; at < n; at += 20) await Promise.all(Array.from({ length: 20 }, () => chat()));
  expect(server.app.gateway.stats().shadowSkipped).toBe(0);
  // Five standard deviations about 60.
  expect(copies().length).toBeGreaterThan(27);
  expect(copies().length).toBeLessThan(93);
});
