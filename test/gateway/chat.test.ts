import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FAILED_IN_ARM_SQL, hashSubject } from '../../src/interactions/index.js';
import { changeRoute, isInSecondArm } from '../../src/routing/index.js';
import {
  eventually,
  SUBJECT_KEY,
  seedExperiment,
  seedModel,
  seedVersion,
  startTestServer,
  subjectIn,
  type TestServer,
} from '../http/support.js';

let server: TestServer;
let serve: string;

beforeAll(async () => {
  server = await startTestServer();
  await seedModel(server, 'support');
  serve = await server.key('serve');
});
afterAll(() => server.close());
beforeEach(() => server.upstream.reset());

const messages = [{ role: 'user' as const, content: 'Where is my parcel?' }];

function chat(body: Record<string, unknown> | string, headers: Record<string, string> = {}): Promise<Response> {
  const whole = typeof body === 'string' ? body : { model: 'support', messages, ...body };
  return server.request('/v1/chat/completions', { key: serve, body: whole, headers });
}

function stored(id: string | null) {
  return eventually(() => server.db.prisma.interaction.findFirstOrThrow({ where: { id: id ?? '' } }));
}

describe('an app with the official OpenAI client', () => {
  it('changes only its base URL', async () => {
    const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: serve });
    const { data, response } = await client.chat.completions
      .create({ model: 'support', messages, user: 'ada' })
      .withResponse();
    expect(data.choices[0]?.message.content).toBe('answer of base');
    expect(data.id).toBe(response.headers.get('x-understudy-interaction'));
    expect(response.headers.get('x-understudy-version')).toBe('1');
    expect(response.headers.get('x-understudy-model')).toBe('support');
    expect(response.headers.get('x-understudy-arm')).toBeNull();
    const names: string[] = [];
    for await (const model of client.models.list()) names.push(model.id);
    expect(names).toEqual(['support']);
  });

  it('gets errors it understands', async () => {
    const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: serve, maxRetries: 0 });
    const missing = await client.chat.completions
      .create({ model: 'nobody', messages })
      .catch((error: unknown) => error);
    expect(missing).toBeInstanceOf(OpenAI.NotFoundError);
    expect(missing).toMatchObject({ status: 404, code: 'unknown_model', type: 'invalid_request_error' });
    const stranger = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'sk-other', maxRetries: 0 });
    await expect(stranger.models.list()).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
    expect(server.upstream.requests).toHaveLength(0);
  });
});

describe('the body', () => {
  it('reaches the upstream byte for byte but for the model, with the upstream key', async () => {
    const text =
      '{ "model" : "support", "messages":[{"role":"user","content":"Gr\u00fc\u00dfe"}], "seed": 12345678901234567890, "new_parameter":{"model":"x","y":[1.0]} }';
    expect((await chat(text)).status).toBe(200);
    const [request] = server.upstream.requests;
    expect(request?.text).toBe(text.replace('"support"', '"base"'));
    expect(request?.path).toBe('/v1/chat/completions');
    expect(request?.headers.authorization).toBe(`Bearer secret of \${UPSTREAM_KEY}`);
  });

  it('is refused without reaching the upstream when it is not JSON, not an object, or too large', async () => {
    for (const [body, status, code] of [
      ['{"model":', 400, 'invalid_request'],
      ['[]', 400, 'invalid_request'],
      ['{"messages":[]}', 400, 'invalid_request'],
      [
        JSON.stringify({ model: 'support', messages, filler: 'x'.repeat(20 * 1_024 * 1_024) }),
        413,
        'payload_too_large',
      ],
    ] as const) {
      const answer = await chat(body);
      expect(answer.status).toBe(status);
      expect(await answer.json()).toMatchObject({ error: { code, param: null, type: 'invalid_request_error' } });
    }
    const typed = await server.request('/v1/chat/completions', {
      key: serve,
      body: 'x',
      headers: { 'content-type': 'text/plain' },
    });
    expect(typed.status).toBe(415);
    expect(server.upstream.requests).toHaveLength(0);
  });
});

describe('what is captured', () => {
  it('is the request, the answer under our id, latency, tokens and the hashed subject', async () => {
    const answer = await chat({ user: 'ada', temperature: 0 }, { 'x-understudy-session': 's-9' });
    const id = answer.headers.get('x-understudy-interaction');
    const body = (await answer.json()) as { id: string };
    expect(body.id).toBe(id);
    const row = await stored(id);
    const subject = hashSubject(SUBJECT_KEY, 'ada');
    expect(row).toMatchObject({ model: 'support', subject, session: 's-9', status: 'complete', version: 1 });
    expect(row).toMatchObject({
      arm: null,
      experimentId: null,
      assignedVersion: null,
      promptTokens: 9,
      completionTokens: 3,
      tags: {},
    });
    expect(row.request).toEqual({ model: 'support', messages, user: subject, temperature: 0 });
    expect(row.response).toMatchObject({ id, upstream_id: expect.stringMatching(/^chatcmpl-stub/) });
    expect(row.latencyMs).toBeGreaterThanOrEqual(0);
    expect(id?.replaceAll('-', '').slice(0, 12)).toBe(row.askedAt.getTime().toString(16).padStart(12, '0'));
  });

  it('names the subject by header, else safety_identifier, else user, else metadata.user_id, and never in clear', async () => {
    const body = { metadata: { user_id: 'm', plan: 'pro' }, user: 'u', safety_identifier: 's' };
    const cases: [Record<string, unknown>, Record<string, string>, string | null][] = [
      [body, { 'x-understudy-subject': 'h' }, 'h'],
      [body, {}, 's'],
      [{ ...body, safety_identifier: '' }, {}, 'u'],
      [{ metadata: body.metadata }, {}, 'm'],
      [{}, {}, null],
    ];
    for (const [fields, headers, expected] of cases) {
      const row = await stored((await chat(fields, headers)).headers.get('x-understudy-interaction'));
      expect(row.subject).toBe(expected === null ? null : hashSubject(SUBJECT_KEY, expected));
      const { user, safety_identifier, metadata } = row.request as Record<string, unknown> & {
        metadata?: Record<string, unknown>;
      };
      for (const kept of [user, safety_identifier, metadata?.user_id]) expect(['h', 's', 'u', 'm']).not.toContain(kept);
    }
    const [asSent] = server.upstream.requests;
    expect(asSent?.body).toMatchObject(body);
    expect(server.app.gateway.stats().withoutSubject).toBeGreaterThan(0);
  });

  it('is one subject in header and body, also beyond ASCII', async () => {
    const name = 'Zo\u00eb';
    const header = Buffer.from(name, 'utf8').toString('latin1');
    const row = await stored(
      (await chat({}, { 'x-understudy-subject': header })).headers.get('x-understudy-interaction'),
    );
    expect(row.subject).toBe(hashSubject(SUBJECT_KEY, name));
  });

  it('is nothing with store: false, which still answers', async () => {
    const before = await server.db.prisma.interaction.count();
    const silent = await chat({ store: false });
    expect(silent.status).toBe(200);
    const after = await chat({});
    await stored(after.headers.get('x-understudy-interaction'));
    expect(await server.db.prisma.interaction.count()).toBe(before + 1);
    expect(
      await server.db.prisma.interaction.findFirst({
        where: { id: silent.headers.get('x-understudy-interaction') ?? '' },
      }),
    ).toBeNull();
  });

  it('can hold what Postgres cannot: NUL and halves of characters are replaced', async () => {
    const text = '{"model":"support","messages":[{"role":"user","content":"a\\u0000b\\ud800c\\\\u0000"}]}';
    const row = await stored((await chat(text)).headers.get('x-understudy-interaction'));
    expect(row.request).toMatchObject({ messages: [{ content: 'a\ufffdb\ufffdc\\u0000' }] });
    expect(server.upstream.requests[0]?.text).toContain('a\\u0000b\\ud800c');
  });
});

describe('a failing upstream of the champion', () => {
  it('is passed on with status, body and the headers a client retries by, and stored as failed', async () => {
    const body = '{"error":{"message":"slow down","type":"rate_limit","code":"rate","param":null},"n":1.0}';
    server.upstream.behave({
      status: 429,
      body,
      headers: { 'retry-after': '7', 'x-ratelimit-remaining-requests': '0', 'set-cookie': 'a=b' },
    });
    const answer = await chat({ user: 'ada' });
    expect(answer.status).toBe(429);
    expect(await answer.text()).toBe(body);
    expect(answer.headers.get('retry-after')).toBe('7');
    expect(answer.headers.get('x-ratelimit-remaining-requests')).toBe('0');
    expect(answer.headers.get('set-cookie')).toBeNull();
    const row = await stored(answer.headers.get('x-understudy-interaction'));
    expect(row).toMatchObject({ status: 'failed', version: 1, response: JSON.parse(body) });
    expect(row.tags).toEqual({ 'understudy.failure': 'status 429' });
    expect(server.upstream.requests).toHaveLength(1);
  });

  it('answers 502 in the shape of OpenAI when it hangs, closes the connection or talks nonsense', async () => {
    for (const behaviour of [{ instead: 'hang' }, { instead: 'close' }, { body: '<html>' }, { body: '[1]' }] as const) {
      server.upstream.behave(behaviour);
      const answer = await chat({});
      expect(answer.status).toBe(502);
      expect(await answer.json()).toMatchObject({ error: { code: 'upstream_failed', type: 'server_error' } });
      const row = await stored(answer.headers.get('x-understudy-interaction'));
      expect(row).toMatchObject({ status: 'failed', response: null });
    }
  });

  it('sends a request once more when the connection it was kept alive on is just then closed', async () => {
    expect((await chat({})).status).toBe(200);
    server.upstream.behave({ instead: 'close', times: 1 });
    expect((await chat({})).status).toBe(200);
    expect(server.upstream.requests).toHaveLength(3);
  });
});

describe('a client that goes away', () => {
  it('stops the upstream, and the interaction is kept as incomplete', async () => {
    server.upstream.behave({ instead: 'hang' });
    const controller = new AbortController();
    const before = await server.db.prisma.interaction.count({ where: { status: 'incomplete' } });
    const pending = fetch(`${server.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${serve}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'support', messages }),
      signal: controller.signal,
    }).catch(() => 'gone');
    await eventually(async () => expect(server.upstream.requests).toHaveLength(1));
    controller.abort();
    expect(await pending).toBe('gone');
    await eventually(async () => expect(server.upstream.aborted).toBe(1), 900);
    await eventually(async () => {
      expect(await server.db.prisma.interaction.count({ where: { status: 'incomplete' } })).toBe(before + 1);
    });
  });
});

describe('an experiment', () => {
  let experiment: string;
  beforeAll(async () => {
    await seedModel(server, 'tested');
    await seedVersion(server.db, 'tested', 2);
    experiment = await seedExperiment(server, 'tested');
  });
  const ask = (subject: string | null, more: Record<string, unknown> = {}) =>
    chat({ model: 'tested', ...(subject === null ? {} : { user: subject }), ...more });

  it('keeps every subject on one arm, answered by its version, and records its first exposure once', async () => {
    const subjects = Array.from({ length: 20 }, (_, n) => `person-${n}`);
    for (let round = 0; round < 3; round++) {
      for (const subject of subjects) {
        const second = isInSecondArm(experiment, hashSubject(SUBJECT_KEY, subject), 0.5);
        const answer = await ask(subject);
        expect(answer.headers.get('x-understudy-arm')).toBe(second ? 'challenger' : 'champion');
        expect(answer.headers.get('x-understudy-version')).toBe(second ? '2' : '1');
        const body = (await answer.json()) as { choices: { message: { content: string } }[] };
        expect(body.choices[0]?.message.content).toBe(`answer of ${second ? 'tested-v2' : 'base'}`);
      }
    }
    await eventually(async () => {
      const rows = await server.db.prisma.interaction.findMany({ where: { experimentId: experiment } });
      expect(rows).toHaveLength(60);
      const exposures = await server.db.prisma.exposure.findMany({ where: { experimentId: experiment } });
      expect(exposures).toHaveLength(20);
      for (const { subject, arm, version, exposedAt } of exposures) {
        const own = rows.filter((row) => row.subject === subject);
        expect(own).toHaveLength(3);
        expect(new Set(own.map((row) => row.arm))).toEqual(new Set([arm]));
        expect(new Set(own.map((row) => row.assignedVersion))).toEqual(new Set([version]));
        expect(exposedAt.getTime()).toBe(Math.min(...own.map((row) => row.askedAt.getTime())));
      }
    });
  });

  it('leaves out who has no subject and who pins a version', async () => {
    const unnamed = await ask(null);
    expect([unnamed.headers.get('x-understudy-version'), unnamed.headers.get('x-understudy-arm')]).toEqual(['1', null]);
    const pinned = await ask('pinning', { model: 'tested@2' });
    expect([pinned.headers.get('x-understudy-version'), pinned.headers.get('x-understudy-arm')]).toEqual(['2', null]);
    expect(await stored(pinned.headers.get('x-understudy-interaction'))).toMatchObject({
      model: 'tested',
      version: 2,
      arm: null,
      assignedVersion: null,
    });
    const subject = hashSubject(SUBJECT_KEY, 'pinning');
    expect(await server.db.prisma.exposure.count({ where: { subject } })).toBe(0);
  });

  it('lets the champion answer for a challenger that fails, and holds it against the challenger', async () => {
    const subject = subjectIn(experiment, true);
    for (const behaviour of [
      { status: 500 },
      { status: 404 },
      { status: 401 },
      { instead: 'close' },
      { instead: 'hang' },
      { body: 'no' },
    ] as const) {
      server.upstream.reset();
      server.upstream.behave(behaviour, 'tested-v2');
      const before = server.app.gateway.stats().fallbacks;
      const answer = await ask(subject);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('x-understudy-arm')).toBe('challenger');
      expect(answer.headers.get('x-understudy-version')).toBe('1');
      expect(server.app.gateway.stats().fallbacks).toBe(before + 1);
      const row = await stored(answer.headers.get('x-understudy-interaction'));
      expect(row).toMatchObject({ status: 'complete', arm: 'challenger', assignedVersion: 2, version: 1 });
      expect(row.tags).toEqual({ 'understudy.fallback': 'true' });
      expect(server.upstream.requests.filter(({ model }) => model === 'base')).toHaveLength(1);
    }
  });

  it('does not ask the champion again for what the client did wrong', async () => {
    server.upstream.behave({ status: 400 }, 'tested-v2');
    const answer = await ask(subjectIn(experiment, true));
    expect(answer.status).toBe(400);
    expect(answer.headers.get('x-understudy-version')).toBe('2');
    expect(server.upstream.requests).toHaveLength(1);
  });

  it('passes on the error of the champion when both fail', async () => {
    server.upstream.behave({ status: 503 });
    const answer = await ask(subjectIn(experiment, true));
    expect(answer.status).toBe(503);
    expect(server.upstream.requests.map(({ model }) => model)).toEqual(['tested-v2', 'base']);
    const row = await stored(answer.headers.get('x-understudy-interaction'));
    expect(row).toMatchObject({ status: 'failed', version: 1, arm: 'challenger' });
  });

  it('marks fall-backs and failures, and nothing else, as failures of the arm', async () => {
    const { rows } = await server.db.pool.query<{ id: string; failed: boolean }>(
      `SELECT i.id, ${FAILED_IN_ARM_SQL} AS failed FROM interactions i WHERE i.experiment_id = $1`,
      [experiment],
    );
    const all = await server.db.prisma.interaction.findMany({ where: { experimentId: experiment } });
    expect(all.length).toBeGreaterThan(60);
    for (const { id, failed } of rows) {
      const row = all.find((candidate) => candidate.id === id);
      expect(failed).toBe(row?.status !== 'complete' || row?.version !== row?.assignedVersion);
    }
    expect(rows.filter(({ failed }) => failed)).toHaveLength(8);
  });

  it('records the exposure of who asked with store: false, and of whose upstream failed', async () => {
    for (const [name, more, behaviour] of [
      ['quiet-1', { store: false }, {}],
      ['broken-1', {}, { status: 500 }],
    ] as const) {
      server.upstream.behave(behaviour);
      await ask(name, more);
      await eventually(async () => {
        expect(await server.db.prisma.exposure.count({ where: { subject: hashSubject(SUBJECT_KEY, name) } })).toBe(1);
      });
      server.upstream.reset();
    }
    expect(await server.db.prisma.interaction.count({ where: { subject: hashSubject(SUBJECT_KEY, 'quiet-1') } })).toBe(
      0,
    );
  });

  it('calls the second arm of a bake holdback', async () => {
    await seedModel(server, 'baking');
    await seedVersion(server.db, 'baking', 2);
    const bake = await seedExperiment(server, 'baking', { kind: 'bake' });
    const answer = await chat({ model: 'baking', user: subjectIn(bake, true) });
    expect(answer.headers.get('x-understudy-arm')).toBe('holdback');
  });
});

describe('a pin', () => {
  it('reaches registered versions that were not rejected', async () => {
    await seedModel(server, 'pinned');
    await seedVersion(server.db, 'pinned', 2, 'adapter', 'rejected');
    await seedVersion(server.db, 'pinned', 4, 'adapter', 'archived');
    await server.db.prisma.version.updateMany({
      where: { model: 'pinned', version: 4 },
      data: { adapterDroppedAt: new Date() },
    });
    await seedVersion(server.db, 'pinned', 3, 'adapter', 'archived');
    for (const [name, status, code] of [
      ['pinned@2', 409, 'version_rejected'],
      ['pinned@4', 409, 'adapter_dropped'],
      ['pinned@9', 404, 'unknown_version'],
      ['pinned@0', 404, 'unknown_model'],
      ['pinned@1@1', 404, 'unknown_model'],
      ['nobody@1', 404, 'unknown_model'],
    ] as const) {
      // It may have been read between two of the steps above, and is read again a second later.
      await expect.poll(async () => (await chat({ model: name })).status, { timeout: 5_000 }).toBe(status);
      const answer = await chat({ model: name });
      expect(await answer.json()).toMatchObject({ error: { code } });
    }
    expect((await chat({ model: 'pinned@3' })).headers.get('x-understudy-version')).toBe('3');
  });

  it('is never answered by another version', async () => {
    server.upstream.behave({ status: 500 }, 'pinned-v3');
    expect((await chat({ model: 'pinned@3' })).status).toBe(500);
    expect(server.upstream.requests).toHaveLength(1);
  });
});

describe('replicas', () => {
  it('take turns, and one that cannot be connected to is stepped over', async () => {
    const dead = 'http://127.0.0.1:9';
    await seedModel(server, 'replicated', { serving: { base_urls: [dead, server.upstream.url] } });
    await seedVersion(server.db, 'replicated', 2);
    const route = { champion: 2, previous: 1, challenger: null, share: null, experimentId: null };
    const base = {
      model: 'replicated',
      expectedEpoch: 1,
      next: route,
      action: 'promote' as const,
      actor: 'test',
      reason: 'test',
      evidence: {},
    };
    await changeRoute(server.db, base);
    await server.routes.refresh();
    for (let n = 0; n < 4; n++) expect((await chat({ model: 'replicated' })).status).toBe(200);
    expect(server.upstream.requests.map(({ model }) => model)).toEqual(Array(4).fill('replicated-v2'));
  });
});

describe('metrics', () => {
  it('count what the gateway did and name no model', async () => {
    await chat({});
    await chat('{');
    const text = await (await server.request('/metrics')).text();
    const { requests, failures } = server.app.gateway.stats();
    expect(text).toContain(`understudy_gateway_requests_total ${requests}`);
    expect(text).toContain(`understudy_gateway_failures_total ${failures}`);
    expect(text).toMatch(/understudy_gateway_duration_seconds_count\{outcome="complete"\} [1-9]/);
    expect(text).not.toContain('support');
  });
});
