import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFeedbackTokens } from '../../src/access/index.js';
import { newId } from '../../src/interactions/index.js';
import { eventually, SUBJECT_KEY, seedModel, startTestServer, type TestServer } from './support.js';

interface Result {
  id: string | null;
  status: string;
  error?: string;
}

const APP = 'https://app.example.org';
let server: TestServer;
let serve: string;
let ingest: string;

beforeAll(async () => {
  server = await startTestServer({ feedbackOrigins: [APP] });
  await seedModel(server, 'rated', { feedback: { tokens: true, token_lifetime: '1h' } });
  await seedModel(server, 'silent');
  serve = await server.key('serve');
  ingest = await server.key('ingest');
});
afterAll(() => server.close());

async function answered(model = 'rated', more: Record<string, unknown> = {}, headers: Record<string, string> = {}) {
  const body = { model, messages: [{ role: 'user', content: 'x' }], user: 'ada', ...more };
  const answer = await server.request('/v1/chat/completions', { key: serve, body, headers });
  await answer.text();
  return {
    id: answer.headers.get('x-understudy-interaction') ?? '',
    token: answer.headers.get('x-understudy-feedback-token'),
  };
}
function send(token: string | null, feedback: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return server.request('/v1/feedback', { key: token ?? '', body: { feedback }, headers });
}
async function say(token: string | null, ...feedback: unknown[]): Promise<Result[]> {
  const answer = await send(token, feedback);
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { results: Result[] }).results;
}
const stored = (id: string) => eventually(() => server.db.prisma.interaction.findFirstOrThrow({ where: { id } }));
const rows = (interactionId: string) =>
  server.db.prisma.feedback.findMany({ where: { interactionId }, orderBy: { id: 'asc' } });

describe('x-understudy-feedback-token', () => {
  it('comes with whole and with streamed answers of a model whose policy asks for it', async () => {
    for (const more of [{}, { stream: true }]) {
      const { id, token } = await answered('rated', more);
      const claim = createFeedbackTokens(SUBJECT_KEY).claimOf(`Bearer ${token}`);
      expect(claim).toEqual({ interaction: id, model: 'rated' });
      const later = createFeedbackTokens(SUBJECT_KEY, () => Date.now() + 3_600_000);
      expect(() => later.claimOf(`Bearer ${token}`)).toThrow('expired');
    }
  });

  it('does not come where nothing is captured, nor without being asked for', async () => {
    expect((await answered('silent')).token).toBeNull();
    expect((await answered('rated', { store: false })).token).toBeNull();
  });
});

describe('POST /v1/feedback with a feedback token', () => {
  it('rates the interaction it came with, at once and after it was stored', async () => {
    const { id, token } = await answered();
    const early = await say(token, { kind: 'thumbs', value: -1 }, { kind: 'correction', value: 'z', interaction: id });
    expect(early.map(({ status }) => status)).toEqual(['stored', 'stored']);
    await stored(id);
    const late = await say(token, { kind: 'rating', value: 2, min: 1, max: 5, model: 'rated', choice_index: 0 });
    expect(late.map(({ status }) => status)).toEqual(['stored']);
    await eventually(async () => {
      expect(await rows(id)).toMatchObject([
        { kind: 'thumbs', source: 'user', model: 'rated' },
        { kind: 'correction', source: 'user', model: 'rated' },
        { kind: 'rating', source: 'user', model: 'rated' },
      ]);
    });
  });

  it('says what a person says, and refuses everything else item by item', async () => {
    const { id, token } = await answered();
    const other = await answered();
    const good = [
      { kind: 'thumbs', value: 0 },
      { kind: 'rating', value: 4, min: 1, max: 5, source: 'user' },
      { kind: 'correction', value: 'a' },
      { kind: 'comment', value: 'b' },
      { kind: 'preference', chosen: 'a', rejected: 'b' },
      { kind: 'edited', value: 'a' },
      { kind: 'copied' },
      { kind: 'regenerated' },
    ];
    const bad: [unknown, string][] = [
      [{ kind: 'score', name: 'quality', value: 1 }, 'kind'],
      [{ kind: 'thumbs', value: 1, source: 'judge' }, 'source'],
      [{ kind: 'thumbs', value: 1, interaction: other.id }, 'interaction'],
      [{ kind: 'thumbs', value: 1, model: 'silent' }, 'interaction'],
      [{ kind: 'thumbs', value: 1, external_id: 'e-1' }, 'interaction'],
      [{ kind: 'thumbs', value: 1, timestamp: '2026-11-01T12:00:00Z' }, 'timestamp'],
      [{ kind: 'thumbs', value: 7 }, 'value'],
      ['canary-4711', 'record'],
    ];
    const results = await say(token, ...good, ...bad.map(([item]) => item));
    expect(results.map(({ status }) => status)).toEqual([...good.map(() => 'stored'), ...bad.map(() => 'invalid')]);
    for (const [index, [, problem]] of bad.entries()) expect(results[good.length + index]?.error).toContain(problem);
    expect(JSON.stringify(results)).not.toContain('canary');
    await stored(id);
    await eventually(async () => expect(await rows(id)).toHaveLength(good.length));
    expect(await rows(other.id)).toEqual([]);
  });

  it('takes back its own feedback, waiting or joined, and no other', async () => {
    const [mine, theirs] = [await answered(), await answered()];
    const [first, second] = [newId(), newId()];
    await say(mine.token, { id: first, kind: 'thumbs', value: 1 });
    expect((await say(theirs.token, { id: first, retracted: true }))[0]).toMatchObject({ status: 'invalid' });
    expect((await say(theirs.token, { id: first, kind: 'thumbs', value: 1 }))[0]).toMatchObject({ status: 'conflict' });
    expect((await say(mine.token, { id: first, retracted: true }))[0]).toMatchObject({ status: 'stored' });
    await stored(mine.id);
    await server.request('/v1/feedback', {
      key: ingest,
      body: { feedback: [{ id: second, interaction: mine.id, kind: 'thumbs', value: 1, source: 'reviewer' }] },
    });
    expect((await say(mine.token, { id: second, retracted: true }))[0]).toMatchObject({ status: 'invalid' });
    await eventually(async () => {
      const found = await rows(mine.id);
      expect(found.map(({ id, retractedAt }) => [id, retractedAt !== null])).toEqual([
        [first, true],
        [second, false],
      ]);
    });
  });

  it('opens nothing else, and is refused when it was changed, has expired, or sends too much', async () => {
    const { id, token } = await answered();
    for (const path of ['/v1/models', '/api/v1/models', '/v1/assignment?model=rated']) {
      expect((await server.request(path, { key: token ?? '' })).status).toBe(401);
    }
    const interactions = await server.request('/v1/interactions', { key: token ?? '', body: { interactions: [] } });
    expect(interactions.status).toBe(401);
    const tokens = createFeedbackTokens(SUBJECT_KEY);
    const expired = tokens.make({ interaction: id, model: 'rated' }, Date.now() - 1);
    const foreign = createFeedbackTokens('another-subject-key').make({ interaction: id, model: 'rated' }, 4e12);
    for (const wrong of [expired, foreign, `${token}x`, 'usft_', `usft_${'A'.repeat(80)}`]) {
      const answer = await send(wrong, [{ kind: 'copied' }]);
      expect(answer.status).toBe(401);
      expect(await answer.json()).toMatchObject({ error: { code: 'feedback_token_refused' } });
    }
    const copied = Array.from({ length: 21 }, () => ({ kind: 'copied' }));
    expect((await send(token, copied)).status).toBe(400);
    const large = await send(token, [{ kind: 'comment', value: 'x'.repeat(1_100_000) }]).catch(() => undefined);
    if (large !== undefined) expect(large.status).toBe(413);
    expect(await rows(id)).toEqual([]);
  });
});

describe('a page of another origin', () => {
  const preflight = (origin: string, path = '/v1/feedback') =>
    server.request(path, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
    });

  it('may send feedback when the origin is listed, and reads the answer, refusals too', async () => {
    const allowed = await preflight(APP);
    expect(allowed.status).toBe(204);
    expect(Object.fromEntries(allowed.headers)).toMatchObject({
      'access-control-allow-origin': APP,
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': 'authorization, content-type',
      vary: 'Origin',
    });
    expect(allowed.headers.get('access-control-allow-credentials')).toBeNull();
    const { token } = await answered();
    for (const [key, status] of [
      [token, 200],
      ['usft_x', 401],
    ] as const) {
      const answer = await send(key, [{ kind: 'copied' }], { origin: APP });
      expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([status, APP]);
    }
  });

  it('may not when it is not, and nothing else is open to any page', async () => {
    for (const [origin, path] of [
      ['https://evil.example.org', '/v1/feedback'],
      ['null', '/v1/feedback'],
      [APP, '/v1/interactions'],
      [APP, '/v1/chat/completions'],
    ] as const) {
      const answer = await preflight(origin, path);
      expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([405, null]);
    }
  });

  it('is nobody by default, and everybody when that is said', async () => {
    for (const [origins, expected] of [
      [[], null],
      [['*'], '*'],
    ] as const) {
      const another = await startTestServer({ feedbackOrigins: origins });
      const headers = { origin: 'https://any.example.org', 'access-control-request-method': 'POST' };
      const answer = await another.request('/v1/feedback', { method: 'OPTIONS', headers });
      await another.close();
      expect(answer.headers.get('access-control-allow-origin')).toBe(expected);
    }
  });
});

it('counts what is over the limit of a day, and names nobody', async () => {
  await seedModel(server, 'capped', { feedback: { tokens: true, max_per_subject_per_day: 1 } });
  const { id, token } = await answered('capped');
  await stored(id);
  expect((await say(token, { kind: 'copied' }, { kind: 'copied' })).map(({ status }) => status)).toEqual([
    'stored',
    'invalid',
  ]);
  const metrics = await (await server.request('/metrics')).text();
  expect(metrics).toMatch(/^understudy_feedback_over_limit_total 1$/m);
});
