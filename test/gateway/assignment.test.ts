import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readArms } from '../../src/experiments/index.js';
import { hashSubject } from '../../src/interactions/index.js';
import { isInSecondArm, readRoute } from '../../src/routing/index.js';
import {
  eventually,
  SUBJECT_KEY,
  seedExperiment,
  seedModel,
  seedVersion,
  startTestServer,
  type TestServer,
} from '../http/support.js';

let server: TestServer;
let key: string;
/** While true, more than a route's validity passes between any two glances at the server's clock. */
let hurrying = false;
let ahead = 0;

beforeAll(async () => {
  const clock = () => {
    if (hurrying) ahead += 61_000;
    return performance.now() + ahead;
  };
  server = await startTestServer({ clock });
  key = await server.key(['serve', 'ingest']);
});
afterAll(() => server.close());

const assign = (query: Record<string, string>, as = key) =>
  server.request(`/v1/assignment?${new URLSearchParams(query)}`, { key: as });
const assigned = async (query: Record<string, string>) => (await assign(query)).json() as Promise<unknown>;
const code = async (answer: Response) => ((await answer.json()) as { error: { code: string } }).error.code;
const exposuresOf = (experimentId: string) => server.db.prisma.exposure.findMany({ where: { experimentId } });
const hash = (subject: string) => hashSubject(SUBJECT_KEY, subject);

/** Subjects of an arm, in clear. */
function subjectsIn(experiment: string, second: boolean, count: number): string[] {
  const all = Array.from({ length: 400 }, (_, n) => `person-${n}`);
  return all.filter((subject) => isInSecondArm(experiment, hash(subject), 0.5) === second).slice(0, count);
}

async function experimentOn(model: string, kind: 'ab' | 'bake' = 'ab'): Promise<string> {
  await seedModel(server, model);
  await seedVersion(server.db, model, 2);
  return seedExperiment(server, model, { kind });
}

let count = 0;
function record(model: string, subject: string | null, timestamp: Date, more: Record<string, unknown> = {}) {
  count += 1;
  return {
    external_id: `post-${count}`,
    timestamp: timestamp.toISOString(),
    model,
    subject,
    request: { messages: [{ role: 'user', content: 'Where is it?' }] },
    response: { choices: [{ index: 0, message: { role: 'assistant', content: 'There.' } }] },
    ...more,
  };
}
async function post(...interactions: unknown[]) {
  const answer = await server.request('/v1/interactions', { key, body: { interactions } });
  const { results } = (await answer.json()) as { results: { id: string; status: string }[] };
  return results;
}
async function posted(interaction: Record<string, unknown>) {
  const [result] = await post(interaction);
  expect(result?.status).toBe('stored');
  return server.db.prisma.interaction.findFirstOrThrow({ where: { id: result?.id ?? '' } });
}
const outside = { experimentId: null, arm: null, assignedVersion: null };

describe('GET /v1/assignment', () => {
  it('answers the arm of a subject, the same as the pure function, and records the exposure', async () => {
    const experiment = await experimentOn('split');
    const { epoch } = await readRoute(server.db, 'split');
    const challenger = subjectsIn(experiment, true, 3);
    const champion = subjectsIn(experiment, false, 3);
    const before = Date.now();
    for (const subject of [...challenger, ...champion, ...challenger]) {
      const [version, arm] = challenger.includes(subject) ? [2, 'challenger'] : [1, 'champion'];
      expect(await assigned({ model: 'split', subject })).toEqual({ model: 'split', version, arm, experiment, epoch });
    }
    await eventually(async () => expect(await exposuresOf(experiment)).toHaveLength(6));
    for (const { subject, arm, version, exposedAt } of await exposuresOf(experiment)) {
      const second = challenger.map(hash).includes(subject);
      expect([arm, version]).toEqual(second ? ['challenger', 2] : ['champion', 1]);
      expect(exposedAt.getTime()).toBeGreaterThanOrEqual(before);
    }
  });

  it('gives the champion, outside any experiment, without a subject or without an experiment', async () => {
    const experiment = await experimentOn('nobody');
    const { epoch } = await readRoute(server.db, 'nobody');
    const before = server.app.gateway.stats().withoutSubject;
    expect(await assigned({ model: 'nobody' })).toEqual({
      model: 'nobody',
      version: 1,
      arm: null,
      experiment: null,
      epoch,
    });
    expect(server.app.gateway.stats().withoutSubject).toBe(before + 1);
    await seedModel(server, 'quiet');
    expect(await assigned({ model: 'quiet', subject: 'ada' })).toEqual({
      model: 'quiet',
      version: 1,
      arm: null,
      experiment: null,
      epoch: 1,
    });
    await server.app.gateway.exposuresStored();
    expect(await exposuresOf(experiment)).toEqual([]);
  });

  it('calls the second arm of a bake its holdback', async () => {
    const experiment = await experimentOn('baking', 'bake');
    const [subject = ''] = subjectsIn(experiment, true, 1);
    expect(await assigned({ model: 'baking', subject })).toMatchObject({ arm: 'holdback', version: 2, experiment });
    expect(await posted(record('baking', subject, new Date(Date.now() + 1_000)))).toMatchObject({
      experimentId: experiment,
      arm: 'holdback',
      assignedVersion: 2,
    });
  });

  it('refuses what it does not know, and shows no model to a key of another', async () => {
    await seedModel(server, 'strict');
    for (const query of [
      {},
      { model: 'strict', subject: '' },
      { model: 'strict', user: 'ada' },
      { model: 'No good' },
    ]) {
      const answer = await assign(query as Record<string, string>);
      expect([query, answer.status, await code(answer)]).toEqual([query, 400, 'invalid_request']);
    }
    const twice = await server.request('/v1/assignment?model=strict&subject=a&subject=b', { key });
    expect(twice.status).toBe(400);
    await seedModel(server, 'elsewhere');
    const missing = await assign({ model: 'missing', subject: 'ada' });
    expect([missing.status, await code(missing)]).toEqual([404, 'unknown_model']);
    const other = await assign({ model: 'strict', subject: 'ada' }, await server.key('serve', 'elsewhere'));
    expect([other.status, await code(other)]).toEqual([404, 'unknown_model']);
    expect((await assign({ model: 'strict' }, await server.key('ingest'))).status).toBe(403);
  });

  it('keeps the subject out of the log', async () => {
    await assign({ model: 'strict', subject: 'canary-subject' });
    await assign({ model: 'strict', subject: 'canary-subject', wrong: 'x' });
    expect(server.log.join('')).not.toContain('canary-subject');
  });
});

describe('interactions posted by an app that asked for its assignments', () => {
  it('count in the arm their subject was assigned to, even when posted at once and whatever version answered', async () => {
    const experiment = await experimentOn('counted');
    const [challenger = ''] = subjectsIn(experiment, true, 1);
    const [champion = ''] = subjectsIn(experiment, false, 1);
    for (const subject of [challenger, champion]) await assign({ model: 'counted', subject });
    const asked = new Date();
    const [first, second] = await post(
      record('counted', challenger, asked, { version: 2, feedback: [{ kind: 'thumbs', value: 1 }] }),
      record('counted', champion, asked, { version: 2, feedback: [{ kind: 'thumbs', value: -1 }] }),
    );
    const row = (id = '') => server.db.prisma.interaction.findFirstOrThrow({ where: { id } });
    expect(await row(first?.id)).toMatchObject({ experimentId: experiment, arm: 'challenger', assignedVersion: 2 });
    // The app did not follow its assignment: what answered is kept, what was assigned counts.
    expect(await row(second?.id)).toMatchObject({
      experimentId: experiment,
      arm: 'champion',
      assignedVersion: 1,
      version: 2,
    });
    const cut = await readArms(server.db, {
      experimentId: experiment,
      secondArm: 'challenger',
      asOf: new Date(Date.now() + 1_000),
      feedbackWindowMs: 0,
      minRating: 0.75,
    });
    expect(cut.champion).toMatchObject({ O: 1, n: 1, x: 0, requests: 1 });
    expect(cut.second).toMatchObject({ O: 1, n: 1, x: 1, requests: 1 });
    expect(cut.crossed).toBe(0);
  });

  it('stay outside when their subject was not exposed, or only later', async () => {
    const experiment = await experimentOn('unexposed');
    const [subject = '', other = ''] = subjectsIn(experiment, true, 2);
    const { startedAt } = await server.db.prisma.experiment.findUniqueOrThrow({ where: { id: experiment } });
    await server.db.prisma.exposure.create({
      data: {
        experimentId: experiment,
        subject: hash(subject),
        arm: 'challenger',
        version: 2,
        exposedAt: new Date(startedAt.getTime() + 5_000),
      },
    });
    const at = (ms: number) => new Date(startedAt.getTime() + ms);
    expect(await posted(record('unexposed', subject, at(4_999)))).toMatchObject(outside);
    expect(await posted(record('unexposed', subject, at(5_000)))).toMatchObject({ experimentId: experiment });
    expect(await posted(record('unexposed', other, at(6_000)))).toMatchObject(outside);
    expect(await posted(record('unexposed', null, at(6_000)))).toMatchObject(outside);
  });

  it('belong to the experiment that was live when they were asked, also when it has ended since', async () => {
    const experiment = await experimentOn('ended');
    const [subject = ''] = subjectsIn(experiment, false, 1);
    const startedAt = new Date('2026-11-01T00:00:00Z');
    const endedAt = new Date('2026-11-04T00:00:00Z');
    await server.db.prisma.experiment.update({
      where: { id: experiment },
      data: { startedAt, endedAt, decision: 'reject', reason: 'no_improvement' },
    });
    await server.db.prisma.exposure.create({
      data: { experimentId: experiment, subject: hash(subject), arm: 'champion', version: 1, exposedAt: startedAt },
    });
    const before = new Date(startedAt.getTime() - 1);
    expect(await posted(record('ended', subject, before))).toMatchObject(outside);
    expect(await posted(record('ended', subject, startedAt))).toMatchObject({ experimentId: experiment });
    expect(await posted(record('ended', subject, new Date(endedAt.getTime() - 1)))).toMatchObject({ arm: 'champion' });
    expect(await posted(record('ended', subject, endedAt))).toMatchObject(outside);
    // Of another model the same subject was never exposed.
    await seedModel(server, 'neighbour');
    expect(await posted(record('neighbour', subject, startedAt))).toMatchObject(outside);
  });

  it('cannot choose their arm, and a resend changes nothing', async () => {
    const experiment = await experimentOn('resent');
    const [subject = ''] = subjectsIn(experiment, true, 1);
    const asked = new Date(Date.now() + 1_000);
    const item = record('resent', subject, asked);
    const [refused] = await post({ ...item, arm: 'champion' });
    expect(refused?.status).toBe('invalid');
    // Stored before the exposure: it stays outside, and the same body later is the same interaction.
    const row = await posted(item);
    expect(row).toMatchObject(outside);
    await assign({ model: 'resent', subject });
    expect((await post(item))[0]).toMatchObject({ id: row.id, status: 'duplicate' });
    const again = await server.db.prisma.interaction.findFirstOrThrow({ where: { id: row.id } });
    expect(again).toMatchObject(outside);
  });
});

describe('a server cut off from the route', () => {
  it('assigns the champion and still records the arm', async () => {
    const experiment = await experimentOn('expired');
    const [subject = ''] = subjectsIn(experiment, true, 1);
    hurrying = true;
    const answer = (await assigned({ model: 'expired', subject })) as Record<string, unknown>;
    expect(answer).toMatchObject({ version: 1, arm: 'challenger', experiment });
    await eventually(async () =>
      expect(await exposuresOf(experiment)).toMatchObject([{ subject: hash(subject), arm: 'challenger', version: 2 }]),
    );
  });
});
