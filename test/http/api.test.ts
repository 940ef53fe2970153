import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UnderstudyError } from '../../src/errors.js';
import { newId } from '../../src/interactions/index.js';
import { changeRoute, readRoute } from '../../src/routing/index.js';
import { seedExperiment, seedModel, seedVersion, startTestServer, TAKEN, type TestServer } from './support.js';

// biome-ignore lint/suspicious/noExplicitAny: answers are looked at, not programmed against
type Body = any;

let server: TestServer;
let admin: string;

beforeAll(async () => {
  server = await startTestServer({ gateway: 'gateway of the test' });
  admin = await server.key('admin');
  await seedModel(server, 'support');
  await seedVersion(server.db, 'support', 2);
});
afterAll(() => server.close());

async function get(path: string): Promise<Body> {
  const answer = await server.request(path, { key: admin });
  expect([path, answer.status]).toEqual([path, 200]);
  return answer.json();
}
async function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<[number, Body]> {
  const answer = await server.request(path, { key: admin, body, headers });
  return [answer.status, await answer.json()];
}

const timestamp = '2026-11-01T12:00:00Z';
const record = (n: number) => ({
  external_id: `api-${n}`,
  timestamp,
  model: 'support',
  request: { messages: [{ role: 'user', content: 'x' }] },
  response: { choices: [{ index: 0, message: { role: 'assistant', content: 'y' } }] },
});

describe('POST /v1/interactions and /v1/feedback', () => {
  it('take 1,000 items, answered in their order, and refuse 1,001', async () => {
    const items = Array.from({ length: 1_000 }, (_, n) => record(n));
    const [status, body] = await post('/v1/interactions', { interactions: items });
    expect(status).toBe(200);
    expect(body.results).toHaveLength(1_000);
    expect(new Set(body.results.map((result: Body) => result.status))).toEqual(new Set(['stored']));
    const said = items.map((item) => ({ model: item.model, external_id: item.external_id, kind: 'thumbs', value: 1 }));
    expect((await post('/v1/feedback', { feedback: said }))[1].results).toHaveLength(1_000);
    const [last] = await server.db.prisma.interaction.findMany({ where: { externalId: 'api-999' } });
    expect(body.results[999].id).toBe(last?.id);

    for (const [path, many] of [
      ['/v1/interactions', { interactions: Array.from({ length: 1_001 }, (_, n) => record(5_000 + n)) }],
      ['/v1/feedback', { feedback: [...said, said[0]] }],
    ] as const) {
      const [refused, error] = await post(path, many);
      expect([refused, error.error.code]).toEqual([400, 'invalid_request']);
    }
    expect(await server.db.prisma.interaction.count()).toBe(1_000);
    expect(await server.db.prisma.feedback.count()).toBe(1_000);
  });

  it('judge items one by one, and refuse what is no batch', async () => {
    const [status, body] = await post('/v1/interactions', {
      interactions: [record(0), 'x', JSON.parse('{"__proto__":{"a":1}}'), record(2_000)],
    });
    expect(status).toBe(200);
    expect(body.results.map((result: Body) => result.status)).toEqual(['duplicate', 'invalid', 'invalid', 'stored']);
    for (const wrong of [{}, { interactions: {} }, { interactions: [], more: 1 }, [], '"x"', '{"interactions":[', '']) {
      expect((await post('/v1/interactions', wrong))[0]).toBe(400);
    }
  });
});

describe('GET /api/v1/models/:model', () => {
  it('shows policy, route, versions with their roles, and the newest route changes', async () => {
    const body = await get('/api/v1/models/support');
    expect(body).toMatchObject({
      name: 'support',
      sandbox: true,
      policy_digest: expect.stringMatching(/^[0-9a-f]{64}$/),
      cycle: null,
      experiment: null,
    });
    expect(body.policy.upstream.api_key).toBe(`\${UPSTREAM_KEY}`);
    expect(body.route).toEqual({
      epoch: 1,
      champion: 1,
      previous: null,
      challenger: null,
      share: null,
      experiment: null,
      valid_for_ms: 60_000,
    });
    expect(body.versions.map(({ version, role, kind, state }: Body) => [version, role, kind, state])).toEqual([
      [1, 'champion', 'base', 'candidate'],
      [2, null, 'adapter', 'candidate'],
    ]);
    expect(body.route_changes).toMatchObject([
      { epoch: 1, action: 'create', before: null, after: { champion: 1 }, actor: 'test', forced: false },
    ]);
  });

  it('shows the running cycle and the experiment on the route with its arms by name', async () => {
    await seedModel(server, 'tested');
    await seedVersion(server.db, 'tested', 2);
    const experiment = await seedExperiment(server, 'tested', { share: 0.1 });
    const body = await get('/api/v1/models/tested');
    expect(body.cycle).toMatchObject({
      workflow_id: 'retraining-cycle-tested',
      phase: 'experimenting',
      outcome: null,
      ended_at: null,
    });
    expect(body.experiment).toMatchObject({
      id: experiment,
      kind: 'ab',
      champion: 1,
      challenger: 2,
      share: 0.1,
      looks: [],
      decision: null,
    });
    expect(body.versions.map(({ role }: Body) => role)).toEqual(['champion', 'challenger']);
    expect(body.route).toMatchObject({ epoch: 2, challenger: 2, experiment });
    expect((await get('/api/v1/models/tested/experiments')).experiments).toMatchObject([{ id: experiment }]);
    expect((await get('/api/v1/models/tested/cycles')).cycles).toMatchObject([{ id: body.cycle.id }]);
  });

  it('calls the second arm of a bake by what it is: the previous version', async () => {
    await seedModel(server, 'baking');
    await seedVersion(server.db, 'baking', 2);
    const next = { champion: 2, previous: 1, challenger: null, share: null, experimentId: null };
    await changeRoute(server.db, {
      model: 'baking',
      expectedEpoch: 1,
      next,
      action: 'promote',
      actor: 'test',
      reason: 'r',
      evidence: {},
    });
    await seedExperiment(server, 'baking', { kind: 'bake', challenger: 1 });
    expect((await get('/api/v1/models/baking')).versions.map(({ role }: Body) => role)).toEqual([
      'previous',
      'champion',
    ]);
  });
});

describe('lists', () => {
  it('are cut into pages that hold every row once, and refuse cursors of others', async () => {
    await seedModel(server, 'paged');
    await seedVersion(server.db, 'paged', 2);
    for (let epoch = 1; epoch < 8; epoch++) {
      const [champion, previous] = epoch % 2 === 0 ? [1, 2] : [2, 1];
      const next = { champion, previous, challenger: null, share: null, experimentId: null };
      await changeRoute(server.db, {
        model: 'paged',
        expectedEpoch: epoch,
        next,
        action: 'rollback',
        actor: 'test',
        reason: 'r',
        evidence: { epoch },
      });
    }
    const epochs: number[] = [];
    let cursor: string | null = null;
    let pages = 0;
    do {
      const query = `?limit=3${cursor === null ? '' : `&cursor=${cursor}`}`;
      const body: Body = await get(`/api/v1/models/paged/route-changes${query}`);
      epochs.push(...body.route_changes.map(({ epoch }: Body) => epoch));
      cursor = body.next_cursor;
      pages += 1;
    } while (cursor !== null);
    expect(epochs).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
    expect(pages).toBe(3);

    for (const [query, status, code] of [
      ['limit=0', 400, 'invalid_request'],
      ['limit=201', 400, 'invalid_request'],
      ['limit=x', 400, 'invalid_request'],
      [`cursor=${'x'.repeat(401)}`, 400, 'invalid_request'],
      ['other=1', 400, 'invalid_request'],
      ['cursor=%00', 404, 'not_found'],
      [`cursor=${Buffer.from('"x"').toString('base64url')}`, 404, 'not_found'],
    ] as const) {
      const answer = await server.request(`/api/v1/models/paged/route-changes?${query}`, { key: admin });
      const { error } = (await answer.json()) as Body;
      expect([query, answer.status, error.code]).toEqual([query, status, code]);
    }
  });

  it('page cycles and models too', async () => {
    const base = {
      model: 'paged',
      workflowId: 'w',
      trigger: 'manual',
      phase: 'baking',
      policy: {},
      policyDigest: 'd',
      sandbox: true,
    };
    const at = (minute: number) => new Date(Date.UTC(2026, 10, 1, 0, minute));
    // Two start at the same instant: the id decides then.
    for (const minute of [1, 2, 2, 3, 4]) {
      const id = newId();
      const ended = { outcome: 'rejected', reason: 'harm', startedAt: at(minute), endedAt: at(minute + 60) };
      await server.db.prisma.cycle.create({ data: { ...base, ...ended, id, runId: id, originalRunId: id } });
    }
    const seen: string[] = [];
    for (let cursor = ''; ; ) {
      const { cycles, next_cursor } = await get(`/api/v1/models/paged/cycles?limit=2${cursor}`);
      seen.push(...cycles.map(({ id }: Body) => id));
      if (next_cursor === null) break;
      cursor = `&cursor=${next_cursor}`;
    }
    expect(new Set(seen).size).toBe(5);
    expect(seen).toHaveLength(5);
    const names: string[] = [];
    for (let cursor = ''; ; ) {
      const { models, next_cursor } = await get(`/api/v1/models?limit=1${cursor}`);
      names.push(...models.map(({ name }: Body) => name));
      if (next_cursor === null) break;
      cursor = `&cursor=${next_cursor}`;
    }
    expect(names).toEqual(['baking', 'paged', 'support', 'tested']);
  });
});

describe('POST /api/v1/models/:model/rollback', () => {
  const path = '/api/v1/models/support/rollback';

  it('passes on version, actor, reason and the idempotency key', async () => {
    server.rollBack.calls.length = 0;
    const [status, body] = await post(
      path,
      { to_version: 1, actor: 'ada', reason: 'worse answers' },
      { 'idempotency-key': 'ticket-9' },
    );
    expect([status, body]).toEqual([200, { epoch: 2, from_version: 2, to_version: 1, request_id: 'ticket-9' }]);
    expect(server.rollBack.calls).toEqual([
      { model: 'support', toVersion: 1, actor: 'key test for ada', reason: 'worse answers', requestId: 'ticket-9' },
    ]);
  });

  it('names the key as the actor and makes a request id where none is given', async () => {
    server.rollBack.calls.length = 0;
    const [, body] = await post(path, { reason: 'worse answers' });
    expect(server.rollBack.calls).toEqual([
      {
        model: 'support',
        toVersion: undefined,
        actor: 'key test',
        reason: 'worse answers',
        requestId: body.request_id,
      },
    ]);
    expect(body.request_id).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('answers refusals with their code, and checks its input', async () => {
    const before = server.rollBack.answer;
    server.rollBack.answer = async ({ model }) => {
      throw new UnderstudyError('nothing_to_roll_back', { model });
    };
    expect(await post(path, { reason: 'r' })).toMatchObject([
      409,
      { error: { code: 'nothing_to_roll_back', details: { model: 'support' } } },
    ]);
    server.rollBack.answer = before;
    server.rollBack.calls.length = 0;
    for (const wrong of [
      {},
      { reason: '' },
      { reason: 'x'.repeat(201) },
      { reason: 'r', to_version: 0 },
      { reason: 'r', force: true },
    ]) {
      expect((await post(path, wrong))[0]).toBe(400);
    }
    expect((await post(path, { reason: 'r' }, { 'idempotency-key': 'x'.repeat(201) }))[0]).toBe(400);
    expect((await post('/api/v1/models/nobody/rollback', { reason: 'r' }))[0]).toBe(404);
    expect(server.rollBack.calls).toEqual([]);
  });
});

describe('POST /api/v1/models/:model/rollback with wait', () => {
  it('says how many gateways follow, and names those that do not', async () => {
    const before = server.rollBack.answer;
    const { epoch } = await readRoute(server.db, 'support');
    server.rollBack.answer = async () => ({ epoch, fromVersion: 2, toVersion: 1 });
    const [status, body] = await post('/api/v1/models/support/rollback', { reason: 'r', wait: true });
    expect([status, body]).toMatchObject([200, { epoch, followed_by: { gateways: 1, silent: [] } }]);
    expect(body.followed_by.ms).toBeLessThan(5_000);
    // Nobody can follow an epoch that nobody made.
    server.rollBack.answer = async () => ({ epoch: epoch + 1, fromVersion: 2, toVersion: 1 });
    const late = await post('/api/v1/models/support/rollback', { reason: 'r', wait: true, timeout_s: 0.3 });
    server.rollBack.answer = before;
    expect(late).toMatchObject([
      504,
      { error: { code: 'gateways_behind', details: { missing: 'gateway of the test', epoch: epoch + 1 } } },
    ]);
  });
});

describe('POST /api/v1/models/:model/promote', () => {
  const path = '/api/v1/models/support/promote';

  it('passes on candidate, actor, reason, force and the idempotency key', async () => {
    server.promote.calls.length = 0;
    const body = { candidate: 2, actor: 'ada', reason: 'checked by hand', force: true };
    const answer = { request_id: 'ticket-10', ...TAKEN };
    expect(await post(path, body, { 'idempotency-key': 'ticket-10' })).toEqual([200, answer]);
    // Whose key it is, is not the caller's to say.
    const who = { actor: 'key test for ada', identity: expect.stringMatching(/^key [0-9a-f-]{36}$/) };
    expect(server.promote.calls).toEqual([{ model: 'support', ...body, ...who, requestId: 'ticket-10' }]);
  });

  it('waits with wait until the candidate is champion and every gateway follows', async () => {
    const { epoch } = await readRoute(server.db, 'support');
    server.promote.answer = async () => {
      const next = { champion: 2, previous: 1, challenger: null, share: null, experimentId: null };
      const change = { model: 'support', expectedEpoch: epoch, next, actor: 'cycle', reason: 'r', evidence: {} };
      // As a cycle does it: some time after it was asked.
      setTimeout(() => void changeRoute(server.db, { ...change, action: 'promote' }), 100);
      return TAKEN;
    };
    const [status, body] = await post(path, { candidate: 2, reason: 'r', wait: true });
    server.promote.answer = async () => TAKEN;
    expect([status, body]).toMatchObject([200, { epoch: epoch + 1, followed_by: { gateways: 1, silent: [] } }]);
    expect(server.routes.current('support')).toMatchObject({ champion: 2 });
  });

  it('says that the candidate was not promoted, that no cycle is running, and checks its input', async () => {
    expect(await post(path, { candidate: 1, reason: 'r', wait: true, timeout_s: 0.3 })).toMatchObject([
      504,
      { error: { code: 'not_promoted', details: { version: 1, model: 'support' } } },
    ]);
    server.promote.answer = async () => {
      throw new UnderstudyError('not_found', { what: 'A running cycle of "support"' });
    };
    expect(await post(path, { candidate: 2, reason: 'r' })).toMatchObject([404, { error: { code: 'not_found' } }]);
    server.promote.answer = async () => {
      throw new UnderstudyError('message_refused', { detail: 'already promoted' });
    };
    expect(await post(path, { candidate: 2, reason: 'r' })).toMatchObject([
      409,
      { error: { code: 'message_refused', details: { detail: 'already promoted' } } },
    ]);
    server.promote.answer = async () => TAKEN;
    for (const wrong of [{}, { reason: 'r' }, { candidate: 0, reason: 'r' }, { candidate: 1, reason: '' }])
      expect((await post(path, wrong))[0]).toBe(400);
    expect((await post('/api/v1/models/nobody/promote', { candidate: 1, reason: 'r' }))[0]).toBe(404);
  });
});

describe('POST /api/v1/models/:model/extend and /resume', () => {
  it('pass on what was asked for, who asked, and the idempotency key', async () => {
    const key = { 'idempotency-key': 'ticket-11' };
    const answer = [200, { request_id: 'ticket-11', ...TAKEN }];
    expect(await post('/api/v1/models/support/extend', { by: '48h', candidate: 2, actor: 'ada' }, key)).toEqual(answer);
    expect(server.extend.calls).toEqual([
      { model: 'support', by: '48h', candidate: 2, actor: 'key test for ada', requestId: 'ticket-11' },
    ]);
    expect(await post('/api/v1/models/support/resume', { skip: true }, key)).toEqual(answer);
    expect(server.resume.calls).toEqual([{ model: 'support', skip: true, actor: 'key test', requestId: 'ticket-11' }]);
    expect((await post('/api/v1/models/support/extend', {}))[0]).toBe(400);
    expect((await post('/api/v1/models/support/resume', { force: true }))[0]).toBe(400);
    expect((await post('/api/v1/models/nobody/extend', { by: '1h' }))[0]).toBe(404);
  });
});

describe('errors', () => {
  it('have one shape everywhere, and the shape of OpenAI on the gateway', async () => {
    const cases: [string, string, number, string, boolean][] = [
      ['GET', '/nowhere', 404, 'not_found', false],
      ['GET', '/v1/chat/nowhere', 404, 'not_found', true],
      ['GET', '/v1/chat/completions', 405, 'method_not_allowed', true],
      ['DELETE', '/v1/interactions', 405, 'method_not_allowed', false],
      ['PUT', '/api/v1/models/support', 405, 'method_not_allowed', false],
      ['GET', '/api/v1/models/%zz', 400, 'invalid_request', false],
      ['GET', `/api/v1/models/${'x'.repeat(150)}`, 404, 'unknown_model', false],
    ];
    for (const [method, path, status, code, openAi] of cases) {
      const answer = await server.request(path, { method, key: admin });
      const body = (await answer.json()) as Body;
      expect([path, answer.status, body.error.code]).toEqual([path, status, code]);
      expect(Object.keys(body.error).sort()).toEqual(
        openAi ? ['code', 'message', 'param', 'type'] : ['code', 'details', 'message'],
      );
    }
    const wrong = await server.request('/v1/interactions', { method: 'PUT', key: admin });
    expect(wrong.headers.get('allow')).toBe('POST');
    const typed = await server.request('/v1/interactions', {
      key: admin,
      body: 'x',
      headers: { 'content-type': 'text/plain' },
    });
    expect(typed.status).toBe(415);
    const large = await server
      .request('/v1/interactions', { key: admin, body: `"${'x'.repeat(17 * 1_024 * 1_024)}"` })
      .catch(() => undefined);
    if (large !== undefined)
      expect([large.status, ((await large.json()) as Body).error.code]).toEqual([413, 'payload_too_large']);
  });

  it('of our own making name the request that the log has, and nothing else', async () => {
    const before = server.rollBack.answer;
    server.rollBack.answer = async () => {
      throw new TypeError('canary-4711');
    };
    const [status, body] = await post('/api/v1/models/support/rollback', { reason: 'r' });
    server.rollBack.answer = before;
    expect([status, body.error.code]).toEqual([500, 'internal']);
    expect(JSON.stringify(body)).not.toContain('canary');
    const line = server.log.find((entry) => entry.includes(body.error.details.request) && entry.includes('"level":50'));
    expect(JSON.parse(line ?? '{}').err).toMatchObject({ type: 'TypeError' });
  });
});

describe('health', () => {
  it('needs no key', async () => {
    expect(await (await server.request('/healthz')).json()).toEqual({ status: 'ok' });
    expect(await (await server.request('/readyz')).json()).toEqual({ status: 'ready' });
    expect((await server.request('/healthz', { method: 'HEAD' })).status).toBe(200);
  });

  it('is not ready on another schema than this program was built for', async () => {
    await server.db.pool.query("UPDATE _prisma_migrations SET migration_name = 'later_' || migration_name");
    const answer = await server.request('/readyz');
    await server.db.pool.query('UPDATE _prisma_migrations SET migration_name = substr(migration_name, 7)');
    expect([answer.status, ((await answer.json()) as Body).error.code]).toEqual([503, 'schema_outdated']);
  });
});
