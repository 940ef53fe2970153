import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKey, impliedScopes, SCOPES, type Scope } from '../../src/access/index.js';
import { seedExperiment, seedModel, seedVersion, startTestServer, type TestServer } from './support.js';

interface DocumentedRoute {
  method: string;
  path: string;
  scope: string | null;
}

let server: TestServer;
let routes: DocumentedRoute[];

beforeAll(async () => {
  server = await startTestServer();
  await seedModel(server, 'mine');
  await seedModel(server, 'theirs');
  const admin = await server.key('admin');
  for (const model of ['mine', 'theirs']) {
    for (const version of [2, 3]) await seedVersion(server.db, model, version);
    const started = await server.request(`/api/v1/models/${model}/shadow`, { key: admin, body: SHADOW });
    expect(started.status).toBe(200);
    await seedExperiment(server, model);
  }
  const document = (await (await server.request('/openapi.json')).json()) as {
    paths: Record<string, Record<string, { description?: string }>>;
  };
  routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { description }]) => ({
      method: method.toUpperCase(),
      path,
      scope: /scope `(\w+)`/.exec(description ?? '')?.[1] ?? null,
    })),
  );
});
afterAll(() => server.close());

/** Version 2 is the challenger. */
const SHADOW = { version: 3, reason: 'test' };
const messages = [{ role: 'user', content: 'x' }];
const choices = [{ index: 0, message: { role: 'assistant', content: 'y' } }];
const timestamp = '2026-11-01T12:00:00Z';

/** An OTLP export request with one interaction. */
function genAiEvent(model: string): unknown {
  const value = { stringValue: JSON.stringify([{ role: 'user', parts: [{ type: 'text', content: 'x' }] }]) };
  const attributes = [
    { key: 'understudy.model', value: { stringValue: model } },
    { key: 'gen_ai.response.id', value: { stringValue: randomUUID() } },
    { key: 'gen_ai.input.messages', value },
  ];
  const eventName = 'gen_ai.client.inference.operation.details';
  const logRecords = [{ eventName, timeUnixNano: '1790000000000000000', attributes }];
  return { resourceLogs: [{ scopeLogs: [{ logRecords }] }] };
}

/** A body that each route takes, about a model. */
function bodyFor(path: string, model: string): unknown {
  if (path === '/v1/chat/completions') return { model, messages };
  if (path === '/v1/completions') return { model, prompt: 'x' };
  if (path === '/v1/embeddings') return { model, input: 'x' };
  if (path === '/v1/interactions')
    return {
      interactions: [{ external_id: randomUUID(), timestamp, model, request: { messages }, response: { choices } }],
    };
  if (path === '/v1/feedback') return { feedback: [{ model, external_id: 'e', kind: 'copied' }] };
  if (path.endsWith('/shadow')) return SHADOW;
  if (path.endsWith('/promote')) return { candidate: 1, reason: 'test' };
  if (path.endsWith('/extend')) return { by: '24h' };
  if (path.endsWith('/resume')) return {};
  if (path.endsWith('/draws')) return { per_arm: 1 };
  if (path.endsWith('/grades')) return { grades: [{ item: randomUUID(), grade: 1 }] };
  if (path === '/v1/logs') return genAiEvent(model);
  if (path.endsWith('/rollback')) return { reason: 'test' };
  return undefined;
}

function ask(route: DocumentedRoute, model: string, key?: string): Promise<Response> {
  const body = route.method === 'GET' ? undefined : bodyFor(route.path, model);
  const query = route.path === '/v1/assignment' ? `?model=${model}` : '';
  const path = route.path.replace('{model}', model).replace('{version}', '1').replace('{other}', '2');
  return server.request(path + query, {
    method: route.method,
    body,
    ...(key === undefined ? {} : { key }),
  });
}

/** OTLP has canonical codes of its own. */
const OTLP_CODES: Record<number, string> = { 7: 'forbidden', 16: 'unauthorized' };
async function errorOf(answer: Response): Promise<{ code: string | undefined; message: string }> {
  const body = (await answer.json()) as { error?: { code: string; message: string }; code: number; message: string };
  return body.error ?? { code: OTLP_CODES[body.code], message: body.message };
}

describe('every route', () => {
  it('is in the table this test walks over', () => {
    expect(routes.length).toBeGreaterThanOrEqual(14);
    const open = routes.filter(({ scope }) => scope === null).map(({ path }) => path);
    expect(open.sort()).toEqual(['/healthz', '/metrics', '/openapi.json', '/readyz']);
  });

  it('is closed without a valid key, unless it is open to all', async () => {
    for (const route of routes) {
      for (const key of [undefined, 'us_wrong', `us_${'A'.repeat(43)}`]) {
        const answer = await ask(route, 'mine', key);
        expect([route.path, answer.status]).toEqual([route.path, route.scope === null ? 200 : 401]);
        if (route.scope !== null) expect((await errorOf(answer)).code).toBe('unauthorized');
      }
    }
  });

  it('takes keys whose scopes include or imply its own, and refuses all others by name', async () => {
    for (const scope of SCOPES) {
      const key = await server.key(scope);
      for (const route of routes.filter((candidate) => candidate.scope !== null)) {
        const allowed = impliedScopes([scope]).has(route.scope as Scope);
        const answer = await ask(route, 'mine', key);
        expect([scope, route.path, answer.status]).toEqual([scope, route.path, allowed ? 200 : 403]);
        if (allowed) continue;
        const error = await errorOf(answer);
        expect(error.code).toBe('forbidden');
        expect(error.message).toContain(`"${route.scope}"`);
      }
    }
  });

  it('answers a model that the key may not see exactly like one that does not exist', async () => {
    const bound = await server.key('admin', 'mine');
    const free = await server.key('admin');
    const about = routes.filter(
      ({ path, method }) => path.includes('{model}') || path === '/v1/assignment' || method === 'POST',
    );
    expect(about.length).toBeGreaterThanOrEqual(9);
    for (const route of about) {
      const [hidden, missing] = [await ask(route, 'theirs', bound), await ask(route, 'nobody', free)];
      expect([route.path, hidden.status]).toEqual([route.path, missing.status]);
      const anonymous = (text: string, model: string) =>
        text.replaceAll(model, '…').replace(/"id":"[^"]*"/, '"id":"…"');
      const [a, b] = [anonymous(await hidden.text(), 'theirs'), anonymous(await missing.text(), 'nobody')];
      expect(a).toBe(b);
      expect(a).toMatch(/unknown_model|does not exist/);
      expect((await ask(route, 'mine', bound)).status).toBe(200);
      expect((await ask(route, 'theirs', free)).status).toBe(200);
    }
    expect(server.rollBack.calls.filter((call) => (call as { model: string }).model === 'theirs')).toHaveLength(1);
  });

  it('lists only what the key may see', async () => {
    const bound = await server.key('admin', 'mine');
    const { models } = (await (await server.request('/api/v1/models', { key: bound })).json()) as {
      models: { name: string }[];
    };
    expect(models.map(({ name }) => name)).toEqual(['mine']);
    const { data } = (await (await server.request('/v1/models', { key: bound })).json()) as { data: { id: string }[] };
    expect(data.map(({ id }) => id)).toEqual(['mine']);
  });
});

describe('createKey', () => {
  it('stores a hash only, and refuses unknown scopes, models and empty names', async () => {
    const { id, key } = await createKey(server.db, {
      name: 'app',
      scopes: ['serve', 'serve', 'ingest'],
      model: 'mine',
    });
    const row = await server.db.prisma.key.findUniqueOrThrow({ where: { id } });
    expect(row).toMatchObject({ name: 'app', scopes: ['serve', 'ingest'], model: 'mine' });
    expect(JSON.stringify([row, Buffer.from(row.hash).toString('latin1')])).not.toContain(key.slice(3));
    await expect(createKey(server.db, { name: 'x', scopes: [] })).rejects.toMatchObject({ code: 'invalid_option' });
    await expect(createKey(server.db, { name: 'x', scopes: ['root'] })).rejects.toMatchObject({
      code: 'invalid_option',
    });
    await expect(createKey(server.db, { name: ' ', scopes: ['read'] })).rejects.toMatchObject({
      code: 'invalid_option',
    });
    await expect(createKey(server.db, { name: 'x', scopes: ['read'], model: 'nobody' })).rejects.toMatchObject({
      code: 'unknown_model',
    });
  });

  it('makes keys that end when they are revoked', async () => {
    const { id, key } = await createKey(server.db, { name: 'app', scopes: ['read'] });
    await server.db.prisma.key.update({ where: { id }, data: { revokedAt: new Date() } });
    expect((await server.request('/api/v1/models', { key })).status).toBe(401);
  });
});
