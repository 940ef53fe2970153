import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FALLBACK_TAG } from '../../src/interactions/index.js';
import {
  eventually,
  seedExperiment,
  seedModel,
  seedVersion,
  startTestServer,
  subjectIn,
  type TestServer,
} from '../http/support.js';

let server: TestServer;
let key: string;

beforeAll(async () => {
  server = await startTestServer({ maxInFlight: 3 });
  key = await server.key('serve');
});
afterAll(() => server.close());
beforeEach(() => server.upstream.reset());

const messages = [{ role: 'user', content: 'Where is my parcel?' }];
const chat = (model: string, more: Record<string, unknown> = {}) =>
  server.request('/v1/chat/completions', { key, body: { model, messages, ...more } });
const asked = () => server.upstream.requests.map(({ model }) => model);

describe('a challenger that fails again and again', () => {
  it('is left alone: the champion answers at once, and every request still counts against the arm', async () => {
    await seedModel(server, 'failing');
    await seedVersion(server.db, 'failing', 2);
    const experiment = await seedExperiment(server, 'failing');
    const user = subjectIn(experiment, true);
    server.upstream.behave({ status: 500 }, 'failing-v2');
    for (let request = 0; request < 8; request++) {
      const answer = await chat('failing', { user });
      expect([answer.status, answer.headers.get('x-understudy-arm')]).toEqual([200, 'challenger']);
      expect(answer.headers.get('x-understudy-version')).toBe('1');
    }
    expect(asked().filter((model) => model === 'failing-v2')).toHaveLength(5);
    const stored = await eventually(async () => {
      const rows = await server.db.prisma.interaction.findMany({ where: { model: 'failing' } });
      expect(rows).toHaveLength(8);
      return rows;
    });
    for (const { arm, version, tags } of stored) {
      expect([arm, version, (tags as Record<string, string>)[FALLBACK_TAG]]).toEqual(['challenger', 1, 'true']);
    }
  });

  it('does not keep a failing champion from being asked: nobody else could answer', async () => {
    await seedModel(server, 'alone');
    server.upstream.behave({ status: 500, times: 7 }, 'base');
    const statuses: number[] = [];
    for (let request = 0; request < 8; request++) statuses.push((await chat('alone')).status);
    expect(statuses).toEqual([500, 500, 500, 500, 500, 500, 500, 200]);
  });
});

describe('upstream.retries', () => {
  beforeAll(async () => {
    await seedModel(server, 'retried', {
      upstream: { base_url: `${server.upstream.url}/v1`, model: 'base', timeout: '1s', retries: 2 },
    });
  });

  it('ask again where the upstream is away for a moment', async () => {
    server.upstream.behave({ status: 503, times: 2 });
    expect((await chat('retried')).status).toBe(200);
    expect(asked()).toHaveLength(3);
  });

  it('are bounded, and the last answer is passed on', async () => {
    server.upstream.behave({ status: 503 });
    const answer = await chat('retried');
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ error: {} });
    expect(asked()).toHaveLength(3);
  });

  it('are for a broken connection before the first byte of a stream too', async () => {
    server.upstream.behave({ instead: 'close', times: 1 });
    const answer = await chat('retried', { stream: true });
    expect(await answer.text()).toContain('[DONE]');
    expect(asked()).toHaveLength(2);
  });

  it('are not for what the client did wrong, nor for a limit it should hear of', async () => {
    for (const status of [400, 429, 500]) {
      server.upstream.reset();
      server.upstream.behave({ status });
      expect((await chat('retried')).status).toBe(status);
      expect(asked()).toHaveLength(1);
    }
  });
});

describe('more requests under way than allowed', () => {
  it('are refused at once, to be tried again, and the others are answered', async () => {
    await seedModel(server, 'busy');
    server.upstream.behave({ delayMs: 600 });
    const held = [chat('busy'), chat('busy'), chat('busy')];
    await eventually(async () => expect(server.upstream.requests).toHaveLength(3));
    const refused = await chat('busy');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await refused.json()).toMatchObject({ error: { code: 'overloaded', type: 'server_error' } });
    for (const answer of held) expect((await answer).status).toBe(200);
    expect((await chat('busy')).status).toBe(200);
  });
});
