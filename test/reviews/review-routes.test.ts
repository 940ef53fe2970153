import { afterAll, beforeAll, expect, it } from 'vitest';
import { startExperiment } from '../../src/experiments/index.js';
import { startTestServer, type TestServer } from '../http/support.js';
import { fillArm, seedCycle, seedModel } from '../support/experiment-data.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(async () => {
  await server.close();
});

it('a review goes from the draw to the status over the API, each step with its scope', async () => {
  const now = Date.now();
  const model = await seedModel(server.db);
  const cycleId = await seedCycle(server.db, model);
  const started = { cycleId, candidate: 2, expectedEpoch: 1, asOf: new Date(now - 60_000) };
  const { experimentId } = (await startExperiment(server.db, started)) as { experimentId: string };
  const common = { model, experimentId, subjects: 10, positives: 0, from: new Date(now - 50_000) };
  await fillArm(server.db, { ...common, arm: 'champion', version: 1 });
  await fillArm(server.db, { ...common, arm: 'challenger', version: 2 });

  const path = `/api/v1/models/${model}/review`;
  const [operate, read, ingest] = await Promise.all(['operate', 'read', 'ingest'].map((scope) => server.key(scope)));
  const ask = async (where: string, key: string | undefined, body?: unknown) => {
    const response = await server.request(`${path}${where}`, {
      ...(body === undefined ? {} : { method: 'POST', body }),
      ...(key === undefined ? {} : { key }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  expect((await ask('/draws', read, { per_arm: 3 })).status).toBe(403);
  const drawn = { experiment: experimentId, draw: 1, per_arm: 3 };
  expect(await ask('/draws', operate, { per_arm: 3 })).toEqual({ status: 200, body: drawn });
  const { items } = (await ask('/items', read)).body as { items: { item: string }[] };
  expect(items).toHaveLength(6);
  expect(items[0]).toEqual({ item: expect.any(String), messages: null, answers: ['an answer'] });
  expect((await ask('/items?source=user', read)).status).toBe(400);

  const [one] = items as [{ item: string }];
  const grades = { grades: [{ item: one.item, grade: 1 }] };
  expect((await ask('/grades', read, grades)).status).toBe(403);
  expect((await ask('/grades', ingest, grades)).body).toEqual({ results: [{ item: one.item, status: 'stored' }] });
  expect((await ask('/grades', ingest, { grades: [{ item: one.item, grade: 2 }] })).status).toBe(400);
  const graded = { source: 'reviewer', graded: 1, mean: 1, calibration: null };
  expect((await ask('', read)).body).toEqual({ experiment: experimentId, draws: 1, items: 6, sources: [graded] });
  expect((await ask('/items', read)).body.items).toHaveLength(5);
});
