import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/interactions/index.js';
import { eventually, seedExperiment, seedModel, seedVersion, startTestServer, type TestServer } from './support.js';

/** Everything by which a request can point at something of a model. */
interface Target {
  model: string;
  version: number;
  /** Of an interaction, by its id and by the app's name for it. */
  interaction: string;
  externalId: string;
  feedback: string;
  cycle: string;
  experiment: string;
  item: string;
  dataset: string;
  subject: string;
  session: string;
}

interface Ask {
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
}

const messages = [{ role: 'user', content: 'x' }];
const choices = [{ index: 0, message: { role: 'assistant', content: 'y' } }];
const timestamp = '2026-11-01T12:00:00Z';
const record = (model: string) => ({
  external_id: randomUUID(),
  timestamp,
  model,
  request: { messages },
  response: { choices },
});
const below =
  (rest: string): ((target: Target) => Ask[]) =>
  ({ model }) => [{ path: `/api/v1/models/${model}${rest}` }];
const cursor = (key: unknown) => Buffer.from(JSON.stringify(key)).toString('base64url');

/** Every request of a route that can point at a thing of the target, by whatever it can be named. */
const CASES: Record<string, (target: Target) => Ask[]> = {
  'POST /v1/chat/completions': (target) => asked('/v1/chat/completions', { messages }, target),
  'POST /v1/completions': (target) => asked('/v1/completions', { prompt: 'x' }, target),
  'POST /v1/embeddings': (target) => asked('/v1/embeddings', { input: 'x' }, target),
  'GET /v1/models': () => [{ path: '/v1/models' }],
  'GET /v1/assignment': ({ model, subject }) => [
    { path: `/v1/assignment?model=${model}` },
    { path: `/v1/assignment?model=${model}&subject=${subject}` },
  ],
  'POST /v1/interactions': ({ model, version, session, subject }) => [
    {
      path: '/v1/interactions',
      body: { interactions: [record(model), { ...record(model), version, session, subject }] },
    },
    { path: '/v1/interactions', body: { interactions: [{ ...record(model), id: newId() }, 'nonsense'] } },
  ],
  'POST /v1/feedback': ({ model, interaction, externalId, feedback }) => [
    { path: '/v1/feedback', body: { feedback: [{ model, external_id: externalId, kind: 'thumbs', value: 1 }] } },
    { path: '/v1/feedback', body: { feedback: [{ interaction, kind: 'thumbs', value: 1 }] } },
    { path: '/v1/feedback', body: { feedback: [{ interaction, choice_index: 3, kind: 'copied' }] } },
    { path: '/v1/feedback', body: { feedback: [{ interaction, model: 'alpha', external_id: 'a', kind: 'copied' }] } },
    { path: '/v1/feedback', body: { feedback: [{ id: feedback, retracted: true }] } },
  ],
  'GET /api/v1/models': ({ model }) => [
    { path: '/api/v1/models' },
    { path: `/api/v1/models?cursor=${cursor(model.slice(0, -1))}` },
  ],
  'GET /api/v1/models/{model}': below(''),
  'GET /api/v1/models/{model}/cycles': (target) => history('cycles', target),
  'GET /api/v1/models/{model}/experiments': (target) => history('experiments', target),
  'GET /api/v1/models/{model}/route-changes': ({ model }) => [
    { path: `/api/v1/models/${model}/route-changes` },
    { path: `/api/v1/models/${model}/route-changes?limit=1` },
    { path: `/api/v1/models/alpha/route-changes?cursor=${cursor(2)}` },
  ],
  'GET /api/v1/models/{model}/versions': below('/versions'),
  'GET /api/v1/models/{model}/versions/{version}': ({ model, version }) => [
    { path: `/api/v1/models/${model}/versions/${version}` },
    { path: `/api/v1/models/${model}/versions/999` },
    { path: `/api/v1/models/${model}/versions/x` },
  ],
  'GET /api/v1/models/{model}/versions/{version}/compare/{other}': ({ model, version }) => [
    { path: `/api/v1/models/${model}/versions/${version}/compare/1` },
    { path: `/api/v1/models/${model}/versions/1/compare/${version}?days=3` },
    { path: `/api/v1/models/${model}/versions/1/compare/999` },
  ],
  'POST /api/v1/models/{model}/rollback': ({ model, version, cycle }) => [
    { path: `/api/v1/models/${model}/rollback`, body: { reason: 'test' } },
    { path: `/api/v1/models/${model}/rollback`, body: { reason: 'test', to_version: version } },
    { path: `/api/v1/models/${model}/rollback`, body: {} },
    { path: `/api/v1/models/${model}/rollback`, body: { reason: 'x' }, headers: { 'idempotency-key': cycle } },
  ],
  'POST /api/v1/models/{model}/promote': ({ model, version }) => [
    { path: `/api/v1/models/${model}/promote`, body: { candidate: version, reason: 'test' } },
    { path: `/api/v1/models/${model}/promote`, body: {} },
  ],
  'POST /api/v1/models/{model}/extend': ({ model, version }) => [
    { path: `/api/v1/models/${model}/extend`, body: { by: '24h', candidate: version } },
    { path: `/api/v1/models/${model}/extend`, body: {} },
  ],
  'POST /api/v1/models/{model}/resume': ({ model }) => [
    { path: `/api/v1/models/${model}/resume`, body: {} },
    { path: `/api/v1/models/${model}/resume`, body: { skip: 1 } },
  ],
  'POST /api/v1/models/{model}/review/draws': ({ model }) => [
    { path: `/api/v1/models/${model}/review/draws`, body: { per_arm: 1 } },
    { path: `/api/v1/models/${model}/review/draws`, body: {} },
  ],
  'POST /api/v1/models/{model}/review/grades': ({ model, item }) => [
    { path: `/api/v1/models/${model}/review/grades`, body: { grades: [{ item, grade: 1 }] } },
    { path: '/api/v1/models/alpha/review/grades', body: { grades: [{ item, grade: 0 }] } },
    { path: `/api/v1/models/${model}/review/grades`, body: {} },
  ],
  'GET /api/v1/models/{model}/review': below('/review'),
  'GET /api/v1/models/{model}/review/items': ({ model }) => [
    { path: `/api/v1/models/${model}/review/items` },
    { path: `/api/v1/models/${model}/review/items?source=judge/x` },
  ],
  'POST /v1/logs': ({ model, interaction }) => [
    { path: '/v1/logs', body: genAiEvent(model, newId()) },
    { path: '/v1/logs', body: genAiEvent(model, interaction) },
  ],
  'POST /api/v1/models/{model}/shadow': ({ model }) => [
    { path: `/api/v1/models/${model}/shadow`, body: { version: 3, reason: 'test' } },
    { path: `/api/v1/models/${model}/shadow`, body: { version: 999, reason: 'test', share: 1, for: '1h' } },
    { path: `/api/v1/models/${model}/shadow`, body: {} },
  ],
  'GET /api/v1/models/{model}/shadow': ({ model }) => [
    { path: `/api/v1/models/${model}/shadow?version=3` },
    { path: `/api/v1/models/${model}/shadow` },
  ],
  'DELETE /api/v1/models/{model}/shadow': below('/shadow'),
  'GET /healthz': () => [{ path: '/healthz' }],
  'GET /readyz': () => [{ path: '/readyz' }],
  'GET /metrics': () => [{ path: '/metrics' }],
  'GET /openapi.json': () => [{ path: '/openapi.json' }],
};

function asked(path: string, body: Record<string, unknown>, { model, version, subject, session }: Target): Ask[] {
  const headers = { 'x-understudy-subject': subject, 'x-understudy-session': session };
  const names = [model, `${model}@${version}`, `${model}@1`, `${model}@999`, `${model}@x`, `${model}@1@2`];
  return names.map((name) => ({ path, headers, body: { ...body, model: name } }));
}

/** An answer of a model, as OpenTelemetry tells it. */
function genAiEvent(model: string, id: string): unknown {
  const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });
  const said = (role: string) => JSON.stringify([{ role, parts: [{ type: 'text', content: 'x' }] }]);
  const event = {
    timeUnixNano: '1793534400000000000',
    eventName: 'gen_ai.client.inference.operation.details',
    attributes: [
      text('understudy.model', model),
      text('gen_ai.response.id', id),
      text('gen_ai.input.messages', said('user')),
      text('gen_ai.output.messages', said('assistant')),
    ],
  };
  return { resourceLogs: [{ scopeLogs: [{ logRecords: [event] }] }] };
}

function history(what: string, { model, cycle, experiment }: Target): Ask[] {
  const later = new Date(Date.now() + 60_000).toISOString();
  return [
    { path: `/api/v1/models/${model}/${what}` },
    { path: `/api/v1/models/${model}/${what}?cursor=${cursor([later, cycle])}` },
    { path: `/api/v1/models/alpha/${what}?limit=1&cursor=${cursor([later, experiment])}` },
  ];
}

let server: TestServer;
let key: string;
let alpha: Target;
let beta: Target;
/** Every string of beta's rows that is beta's alone. */
let canaries: string[];
let routes: string[];

beforeAll(async () => {
  server = await startTestServer();
  alpha = await fill('alpha');
  beta = await fill('beta');
  key = await server.key('admin', 'alpha');
  canaries = await stringsOf('beta');
  const document = (await (await server.request('/openapi.json')).json()) as {
    paths: Record<string, Record<string, unknown>>;
  };
  routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
});
afterAll(() => server.close());

/** A model with something in every table that the API reads from or writes to. */
async function fill(model: string): Promise<Target> {
  const { db } = server;
  const secret = (what: string) => `canary-${model}-${what}`;
  await seedModel(server, model);
  for (const version of [2, 3]) await seedVersion(db, model, version);
  await db.prisma.version.updateMany({
    where: { model, version: 2 },
    data: { label: secret('label'), servedAs: secret('served-as'), metrics: { loss: secret('metric') } },
  });
  const experiment = await seedExperiment(server, model, { share: 0.5 });
  const { cycleId: cycle } = await db.prisma.experiment.findUniqueOrThrow({ where: { id: experiment } });
  await db.prisma.cycle.update({
    where: { id: cycle },
    data: { trigger: secret('trigger'), policyDigest: digest(model) },
  });
  const sums = { n: 10, x: 5 };
  await db.prisma.look.create({
    data: {
      ...{ experimentId: experiment, k: 1, takenAt: new Date(), policyDigest: digest(model), cutDigest: digest(model) },
      ...{ champion: sums, challenger: sums, crossed: 0, tested: true, iMax: 1, i0: 1, decision: 'wait' },
      ...{ evidence: { note: secret('evidence') }, reason: secret('look-reason') },
    },
  });
  const dataset = randomUUID();
  const frozen = { state: 'frozen', digest: digest(model), uri: `artifact:${secret('uri')}`, createdAt: new Date() };
  await db.prisma.dataset.create({
    data: { id: dataset, model, cycleId: cycle, manifest: { name: secret('manifest') }, ...frozen },
  });
  const training = { key: secret('training-key'), provider: 'reference', baseUrl: 'http://x', baseModel: 'tiny' };
  await db.prisma.trainingRun.create({
    data: {
      id: randomUUID(),
      model,
      cycleId: cycle,
      datasetId: dataset,
      status: 'submitted',
      ...training,
      createdAt: new Date(),
    },
  });
  const judged = { n: 200, championRight: 1, challengerRight: 2, onlyChallenger: 1, onlyChampion: 0, margin: 0.02 };
  await db.prisma.evaluation.create({
    data: {
      ...{ id: randomUUID(), model, cycleId: cycle, champion: 1, challenger: 2, noGate: false, passed: true },
      ...{ ...judged, goldenDigest: digest(model), createdAt: new Date() },
    },
  });

  const admin = await server.key('admin');
  const subject = secret('subject');
  const session = secret('session');
  const asked = await server.request('/v1/chat/completions', {
    key: admin,
    body: { model, messages: [{ role: 'user', content: secret('question') }], user: subject },
    headers: { 'x-understudy-session': session },
  });
  expect(asked.status).toBe(200);
  const interaction = asked.headers.get('x-understudy-interaction') ?? '';
  await eventually(async () => expect(await db.prisma.interaction.count({ where: { id: interaction } })).toBe(1));
  const externalId = secret('external');
  const feedback = newId();
  for (const [path, body] of [
    [
      '/v1/interactions',
      {
        interactions: [
          {
            ...record(model),
            external_id: externalId,
            request: { messages: [{ role: 'user', content: secret('text') }] },
            tags: { note: secret('tag') },
          },
        ],
      },
    ],
    ['/v1/feedback', { feedback: [{ id: feedback, interaction, kind: 'correction', value: secret('correction') }] }],
  ] as const) {
    const { results } = (await (await server.request(path, { key: admin, body })).json()) as {
      results: { status: string }[];
    };
    expect(results).toMatchObject([{ status: 'stored' }]);
  }
  const { rows } = await db.pool.query<{ item: string }>(
    `INSERT INTO review_items (experiment_id, interaction_id, draw, seed, drawn_at) VALUES ($1, $2, 1, $3, now()) RETURNING item`,
    [experiment, interaction, secret('seed')],
  );
  const { item = '' } = rows[0] ?? {};
  const target = {
    model,
    version: 2,
    interaction,
    externalId,
    feedback,
    cycle,
    experiment,
    item,
    dataset,
    subject,
    session,
  };
  return target;
}

/** 64 hexadecimal digits that only this model has. */
function digest(model: string): string {
  return Buffer.from(model.repeat(64)).toString('hex').slice(0, 64);
}

/** What stands in the rows of a model and in no row of another one. */
async function stringsOf(model: string): Promise<string[]> {
  const of = async (name: string) => {
    const found = new Set<string>();
    const { rows: tables } = await server.db.pool.query<{ table: string }>(
      `SELECT table_name AS table FROM information_schema.columns
        WHERE table_schema = 'public' AND column_name = 'model' AND table_name !~ '_(default|[0-9]{4}_[0-9]{2})$'`,
    );
    const { rows } = await server.db.pool.query<{ row: unknown }>(
      [
        ...tables.map(({ table }) => `SELECT to_jsonb(t) AS row FROM ${table} t WHERE model = $1`),
        'SELECT to_jsonb(m) FROM models m WHERE name = $1',
        'SELECT to_jsonb(l) FROM looks l JOIN experiments e ON e.id = l.experiment_id WHERE e.model = $1',
        'SELECT to_jsonb(x) FROM exposures x JOIN experiments e ON e.id = x.experiment_id WHERE e.model = $1',
      ].join(' UNION ALL '),
      [name],
    );
    const walk = (value: unknown): void => {
      if (typeof value === 'string') found.add(value);
      else if (value !== null && typeof value === 'object') Object.values(value).forEach(walk);
    };
    for (const { row } of rows) walk(row);
    return found;
  };
  const [mine, others] = [await of(model), await of('alpha')];
  // Plain words, such as an arm's name or the stub's answer, are everybody's.
  return [...mine].filter((text) => !others.has(text) && (text.includes(model) || /[0-9]/.test(text)));
}

/** Ids and names that are nobody's, like those of a model that does not exist. */
function ghost(): Target {
  return {
    model: 'ghost',
    version: beta.version,
    interaction: newId(),
    externalId: randomUUID(),
    feedback: newId(),
    cycle: randomUUID(),
    experiment: randomUUID(),
    item: randomUUID(),
    dataset: randomUUID(),
    subject: `nobody-${randomUUID()}`,
    session: `nothing-${randomUUID()}`,
  };
}

/** Status, headers and body, with what the request itself said, and what is new for every request, taken out. */
async function answerTo(route: string, ask: Ask, target: Target) {
  const answer = await server.request(ask.path, {
    key,
    method: route.split(' ')[0]!,
    body: ask.body,
    ...(ask.headers ? { headers: ask.headers } : {}),
  });
  const text = await answer.text();
  const said = JSON.stringify([ask.path, ask.body, ask.headers]);
  const seen = `${text}\n${[...answer.headers].map((line) => line.join(': ')).join('\n')}`;
  const leaked = canaries.filter((canary) => seen.includes(canary) && !said.includes(canary));
  const anonymous = Object.values(target)
    .filter((value) => typeof value === 'string')
    .reduce((rest, value) => rest.replaceAll(value, '…'), text)
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, '(new id)');
  return { status: answer.status, body: anonymous, type: answer.headers.get('content-type'), leaked };
}

describe('a key for one model', () => {
  it('is tried on every route there is', () => {
    expect(routes.length).toBeGreaterThan(15);
    expect(Object.keys(CASES).sort(), 'a new route needs its requests in CASES').toEqual([...routes].sort());
  });

  it('looks for strings that are in the other model’s rows', () => {
    for (const text of ['beta', 'canary-beta-text', 'canary-beta-evidence', 'canary-beta-correction', beta.cycle])
      expect(canaries).toContain(text);
    expect(canaries.length).toBeGreaterThan(30);
  });

  it('gets for another model what it gets for one that does not exist, and never a string of it', async () => {
    for (const route of routes) {
      const nobody = ghost();
      const [theirs, none] = [CASES[route]!(beta), CASES[route]!(nobody)];
      for (const [n, ask] of theirs.entries()) {
        const hidden = await answerTo(route, ask, beta);
        const missing = await answerTo(route, none[n]!, nobody);
        expect([route, n, hidden.leaked]).toEqual([route, n, []]);
        // What a process counts and how old it is differs from one moment to the next.
        if (route === 'GET /metrics') continue;
        expect([route, ask.path, hidden]).toEqual([route, ask.path, missing]);
        if (ask.path.includes('beta')) expect([route, hidden.status]).toEqual([route, 404]);
      }
    }
  });

  it('gets for its own what is there, so that the requests above are ones that would find something', async () => {
    for (const route of routes) {
      const answers = await Promise.all(CASES[route]!(alpha).map((ask) => answerTo(route, ask, beta)));
      expect([route, answers[0]!.status]).toEqual([route, 200]);
      for (const { leaked } of answers) expect([route, leaked]).toEqual([route, []]);
    }
  });

  it('changes nothing of another model, whatever it posts', async () => {
    const { db } = server;
    const of = async () => ({
      interactions: await db.prisma.interaction.findMany({ where: { model: 'beta' }, orderBy: { id: 'asc' } }),
      feedback: await db.prisma.feedback.findMany({ where: { model: 'beta' }, orderBy: { id: 'asc' } }),
      route: await db.prisma.route.findUnique({ where: { model: 'beta' } }),
      exposures: await db.prisma.exposure.count({ where: { experimentId: beta.experiment } }),
    });
    const before = await of();
    expect(before.feedback).toHaveLength(1);
    for (const route of routes.filter((name) => !name.startsWith('GET'))) {
      for (const ask of CASES[route]!(beta)) await answerTo(route, ask, beta);
    }
    expect(await of()).toEqual(before);
    expect(server.rollBack.calls.filter((call) => (call as { model: string }).model === 'beta')).toEqual([]);
  });

  it('learns of an id that is taken only that it is taken, as of one of its own', async () => {
    const resultOf = async (path: string, body: unknown) => (await server.request(path, { key, body })).json();
    const item = (id: string) => ({ interactions: [{ ...record('alpha'), id }] });
    const word = (id: string) => ({ feedback: [{ id, interaction: alpha.interaction, kind: 'copied' }] });
    for (const [theirs, own] of [
      [
        await resultOf('/v1/interactions', item(beta.interaction)),
        await resultOf('/v1/interactions', item(alpha.interaction)),
      ],
      [await resultOf('/v1/feedback', word(beta.feedback)), await resultOf('/v1/feedback', word(alpha.feedback))],
    ]) {
      expect(theirs).toMatchObject({ results: [{ status: 'conflict' }] });
      const text = JSON.stringify(theirs).replaceAll(beta.interaction, alpha.interaction);
      expect(text.replaceAll(beta.feedback, alpha.feedback)).toBe(JSON.stringify(own));
    }
  });
});
