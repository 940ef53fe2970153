import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seedTraining } from '../support/seed-training.js';
import { seedExperiment, seedModel, seedVersion, startTestServer, type TestServer } from './support.js';

type Json = Record<string, unknown>;
interface Operation {
  operationId: string;
  parameters: { name: string; in: string }[];
  requestBody?: { content: Record<string, { schema: Json }> };
  responses: Record<string, { content: Record<string, { schema: Json }> }>;
}

let server: TestServer;
let document: Json & {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Json> };
};

beforeAll(async () => {
  server = await startTestServer();
  document = (await (await server.request('/openapi.json')).json()) as typeof document;
});
afterAll(() => server.close());

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );

function validator(schema: Json) {
  const ajv = new Ajv2020({ strict: false, formats: { uuid: true, 'date-time': true } });
  return ajv.compile({ ...schema, components: document.components });
}

/** `METHOD /path` of each route in fastify's own account of them: a tree with four columns a level. */
function registeredRoutes(tree: string): string[] {
  const prefixes: string[] = [];
  return tree.split('\n').flatMap((line) => {
    const [, indent = '', part, methods = ''] = /^([│├└─ ]*)(\S+)(?: \(([A-Z, ]+)\))?$/.exec(line) ?? [];
    if (part === undefined) return [];
    const level = indent.length / 4;
    prefixes[level] = (prefixes[level - 1] ?? '') + part;
    // fastify answers HEAD wherever it answers GET.
    const own = methods.split(', ').filter((method) => method !== '' && method !== 'HEAD');
    return own.map((method) => `${method} ${prefixes[level]}`);
  });
}

describe('/openapi.json', () => {
  it('names every registered route and no other', () => {
    const registered = registeredRoutes(server.app.printRoutes({ commonPrefix: false }));
    const documented = operations().map(
      ({ path, method }) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`,
    );
    expect(documented.length).toBeGreaterThanOrEqual(14);
    expect(registered.sort()).toEqual(documented.sort());
  });

  it('is OpenAPI 3.1 with unique operations, declared path parameters and schemas that compile', () => {
    expect(document).toMatchObject({ openapi: '3.1.0', info: { title: 'Understudy', version: expect.any(String) } });
    const ids = operations().map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    // Most errors share one.
    const schemas = new Map<string, Json>();
    for (const { path, operation } of operations()) {
      const inPath = operation.parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name);
      expect(inPath).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
      const bodies = [operation.requestBody, ...Object.values(operation.responses)];
      for (const content of bodies) {
        for (const { schema } of Object.values(content?.content ?? {})) schemas.set(JSON.stringify(schema), schema);
      }
    }
    for (const schema of schemas.values()) validator(schema);
  });

  it('describes the very answers that the routes give', async () => {
    await seedModel(server, 'support');
    await seedVersion(server.db, 'support', 2);
    const experiment = await seedExperiment(server, 'support');
    await server.db.prisma.look.create({
      data: {
        experimentId: experiment,
        k: 1,
        takenAt: new Date(),
        policyDigest: 'd'.repeat(64),
        cutDigest: 'c'.repeat(64),
        champion: { n: 10, x: 5 },
        challenger: { n: 10, x: 7 },
        crossed: 0,
        tested: true,
        z: 0.9,
        intervalLow: -0.2,
        intervalHigh: 0.6,
        iMax: 3139.55,
        i0: 1,
        evidence: {},
        decision: 'wait',
      },
    });
    await seedVersion(server.db, 'support', 3);
    const { cycleId } = await server.db.prisma.experiment.findUniqueOrThrow({ where: { id: experiment } });
    await server.db.prisma.evaluation.create({
      data: {
        ...{ id: cycleId, model: 'support', cycleId, champion: 1, challenger: 2, noGate: false, passed: true, n: 200 },
        ...{
          championRight: 1,
          challengerRight: 2,
          onlyChallenger: 1,
          onlyChampion: 0,
          difference: 0.005,
          margin: 0.02,
        },
        ...{ goldenDigest: 'e'.repeat(64), createdAt: new Date() },
      },
    });
    const run = await seedTraining(server.db, { model: 'support', cycleId, asOf: new Date() });
    const made = { cycleId, datasetId: run.datasetId, trainingRunId: run.trainingRunId, metrics: { steps: 3 } };
    await server.db.prisma.version.updateMany({ where: { model: 'support', version: 2 }, data: made });
    const key = await server.key('admin');
    const shadow = { key, body: { version: 3, reason: 'test' } };
    expect((await server.request('/api/v1/models/support/shadow', shadow)).status).toBe(200);
    for (const { path, method, operation } of operations().filter((candidate) => candidate.method === 'get')) {
      const query = path === '/v1/assignment' ? '?model=support&subject=ada' : '';
      const named = path.replace('{model}', 'support').replace('{version}', '2').replace('{other}', '1');
      const answer = await server.request(named + query, {
        key,
        method: method.toUpperCase(),
      });
      expect([path, answer.status]).toEqual([path, 200]);
      const described = operation.responses['200']?.content['application/json'];
      if (described === undefined) continue;
      const validate = validator(described.schema);
      expect([path, validate(await answer.json()), validate.errors]).toEqual([path, true, null]);
    }
    for (const path of ['/api/v1/models/nobody', '/nowhere']) {
      const validate = validator({ $ref: '#/components/schemas/Error' });
      expect([validate(await (await server.request(path, { key })).json()), validate.errors]).toEqual([true, null]);
    }
  });

  it('takes the records of the documentation and refuses what the server refuses', async () => {
    // What it says of one item; anything else is taken, too, and answered as invalid.
    const items = (path: string, name: string) => {
      const { properties } = document.paths[path]!.post!.requestBody!.content['application/json']!.schema as {
        properties: Record<string, { items: { anyOf: [Json, Json] } }>;
      };
      const [one, other] = properties[name]!.items.anyOf;
      expect(Object.keys(other)).toEqual(['description']);
      return validator(one);
    };
    const interaction = items('/v1/interactions', 'interactions');
    const record = {
      external_id: 'a-17',
      timestamp: '2026-11-01T12:00:00Z',
      model: 'support-router',
      subject: 'user-17',
      session: 's-9',
      request: { messages: [{ role: 'user', content: '…' }] },
      response: {
        id: 'chatcmpl-1',
        choices: [{ index: 0, message: { role: 'assistant', content: '…' }, finish_reason: 'stop' }],
        usage: { prompt_tokens: 9, completion_tokens: 3 },
      },
      version: 2,
      latency_ms: 41,
      tags: { locale: 'en' },
      feedback: [
        { kind: 'thumbs', value: -1 },
        { kind: 'correction', value: '…' },
      ],
    };
    expect([interaction(record), interaction.errors]).toEqual([true, null]);
    expect(interaction({ ...record, arm: 'challenger' })).toBe(false);
    const feedback = items('/v1/feedback', 'feedback');
    expect(feedback({ model: 'm', external_id: 'e', kind: 'thumbs', value: 1 })).toBe(true);
    expect(feedback({ id: '0190a5d4-7a6b-7c3d-8e9f-0a1b2c3d4e5f', retracted: true })).toBe(true);
    expect(feedback({ model: 'm', external_id: 'e', kind: 'thumbs', value: 3 })).toBe(false);
  });
});
