import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Prisma } from '../../src/db/index.js';
import { digestOf } from '../../src/policy/index.js';
import { changeRoute } from '../../src/routing/index.js';
import { eventually, seedModel, seedVersion, startTestServer, type TestServer } from '../http/support.js';
import { type StubUpstream, startStubUpstream } from '../support/stub-upstream.js';

let server: TestServer;
let other: StubUpstream;
let serve: string;

beforeAll(async () => {
  server = await startTestServer();
  other = await startStubUpstream();
  serve = await server.key('serve');
});
afterAll(async () => {
  await server.close();
  await other.close();
});

const ask = (model: string, content = 'x') =>
  server.request('/v1/chat/completions', { key: serve, body: { model, messages: [{ role: 'user', content }] } });

async function applyPolicy(name: string, change: Record<string, unknown>): Promise<void> {
  const row = await server.db.prisma.model.findUniqueOrThrow({ where: { name } });
  const policy = { ...(row.policy as object), ...change } as Prisma.InputJsonObject;
  await server.db.prisma.model.update({ where: { name }, data: { policy, policyDigest: digestOf(policy) } });
}

describe('models, versions and policies in memory', () => {
  it('follow a policy that is applied again, and outlive one that this program does not understand', async () => {
    await seedModel(server, 'moving');
    expect((await ask('moving')).status).toBe(200);
    await applyPolicy('moving', { upstream: { base_url: `${other.url}/v1`, model: 'elsewhere' } });
    await eventually(async () => {
      const body = (await (await ask('moving')).json()) as { model: string };
      expect(body.model).toBe('elsewhere');
    });
    expect(other.requests[0]?.headers.authorization).toBeUndefined();
    await applyPolicy('moving', { upstream: { base_url: 'not a url', model: 'elsewhere' } });
    await eventually(async () =>
      expect(server.log.some((line) => line.includes('stored policy is not valid'))).toBe(true),
    );
    expect((await ask('moving')).status).toBe(200);
  });

  it('know a version by the time the first request for it comes, however new it is', async () => {
    await seedModel(server, 'newest');
    for (let version = 2; version <= 6; version++) {
      await seedVersion(server.db, 'newest', version);
      const next = { champion: version, previous: version - 1, challenger: null, share: null, experimentId: null };
      const change = { model: 'newest', expectedEpoch: version - 1, next, actor: 'test', reason: 'r', evidence: {} };
      await changeRoute(server.db, { ...change, action: 'promote' });
      await server.routes.refresh();
      // A conversation of its own: one under way would stay on the version before.
      const answer = await ask('newest', `question ${version}`);
      expect([answer.status, answer.headers.get('x-understudy-version')]).toEqual([200, String(version)]);
    }
  });

  it('do not ask the database for a request', async () => {
    await seedModel(server, 'steady');
    expect((await ask('steady')).status).toBe(200);
    // Whoever reads one of these tables now waits until the end of this transaction.
    const client = await server.db.pool.connect();
    try {
      await client.query('BEGIN');
      await client.query(
        'LOCK models, versions, routes, experiments, keys, interactions, exposures IN ACCESS EXCLUSIVE MODE',
      );
      const startedAt = performance.now();
      for (let n = 0; n < 20; n++) expect((await ask('steady')).status).toBe(200);
      expect(performance.now() - startedAt).toBeLessThan(2_500);
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  });
});

describe('a secret that is not set', () => {
  it('is named in the answer, and no other model suffers', async () => {
    await seedModel(server, 'secretive', {
      upstream: { base_url: `${other.url}/v1`, model: 'base', api_key: `\${MISSING}` },
    });
    const answer = await ask('secretive');
    expect(answer.status).toBe(502);
    expect(await answer.text()).toContain('MISSING');
    expect((await ask('newest')).status).toBe(200);
  });
});
