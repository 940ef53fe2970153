import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { UnderstudyError } from '../../src/errors.js';
import { evaluate } from '../../src/evaluation/index.js';
import { type FakeChat, type FakeVllm, startFakeVllm } from '../support/fake-vllm.js';
import { seedAdapterVersion } from '../support/seed-version.js';
import { noSecrets, openStage, type Stage, seedCycle, seedModel } from '../support/stage-fixtures.js';

const asOf = new Date('2026-11-10T12:00:00.000Z');
let stage: Stage;
let server: FakeVllm;
let model: string;
let models = 0;
beforeAll(async () => {
  stage = await openStage();
  await mkdir(join(stage.root, 'golden'), { recursive: true });
});
afterAll(() => stage.close());
beforeEach(async () => {
  server = await startFakeVllm();
  models += 1;
  model = `evaluation-${models}`;
});
afterEach(() => server.close());

const goldenRow = (i: number) => ({
  messages: [
    { role: 'user', content: `Question ${i}?` },
    { role: 'assistant', content: `Answer ${i}` },
  ],
});

/** Writes a golden set and answers its path below the root. */
async function golden(rows: number | string[]): Promise<string> {
  const lines = typeof rows === 'number' ? Array.from({ length: rows }, (_, i) => JSON.stringify(goldenRow(i))) : rows;
  await writeFile(join(stage.root, 'golden', `${model}.jsonl`), lines.map((line) => `${line}\n`).join(''));
  return `golden/${model}.jsonl`;
}

async function prepare(goldenSet: string | null): Promise<string> {
  await seedModel(stage.db, model, {
    upstream: { base_url: `${server.url}/v1`, model: 'base', timeout: '5s' },
    serving: { base_urls: [server.url] },
    evaluation: { golden_set: goldenSet, non_inferiority_margin: 0.02 },
  });
  const name = await seedAdapterVersion(stage.db, stage.root, model, 2);
  server.adapters.set(name, '/adapter');
  return seedCycle(stage.db, model, asOf);
}

/** Answers rightly the questions whose number the version knows. */
function answersOf(champion: (i: number) => boolean, candidate: (i: number) => boolean) {
  return ({ version, question }: FakeChat) => {
    const i = Number(/\d+/.exec(question)?.[0]);
    return (version === 2 ? candidate(i) : champion(i)) ? ` answer  ${i}\n` : 'something else';
  };
}

const run = (cycleId: string, more = {}) =>
  evaluate(stage.db, stage.store, noSecrets, { cycleId, champion: 1, candidate: 2, asOf, ...more });
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => new Error('no error'),
    (error: unknown) => error as UnderstudyError,
  );

test('lets a better candidate pass, with the numbers of the gate', async () => {
  const cycleId = await prepare(await golden(400));
  // Both right on 160, only the candidate on 80, only the champion on 20.
  server.answer = answersOf(
    (i) => i < 180,
    (i) => i >= 20 && i < 260,
  );
  const startedAt = performance.now();
  const gate = await run(cycleId);
  expect(performance.now() - startedAt).toBeLessThan(20_000);
  const se = Math.sqrt(80 + 20 - 60 ** 2 / 400) / 400;
  expect(gate).toMatchObject({ passed: true, noGate: false, n: 400, champion: 0.45, challenger: 0.6, margin: 0.02 });
  expect(gate.difference).toBeCloseTo(0.15, 12);
  expect(gate.lowerBound).toBeCloseTo(0.15 - 1.645 * se, 12);
  expect(gate.summary).toContain('candidate 60.0 % right, champion 45.0 %');
  expect(gate.summary.length).toBeLessThanOrEqual(200);
  const stored = await stage.db.prisma.evaluation.findUniqueOrThrow({ where: { cycleId } });
  expect(stored).toMatchObject({
    n: 400,
    championRight: 180,
    challengerRight: 240,
    onlyChallenger: 80,
    onlyChampion: 20,
    passed: true,
    noGate: false,
  });
  expect(stored.goldenDigest).toMatch(/^[0-9a-f]{64}$/);
});

test('asks each version each question once, at temperature 0, base at the upstream and adapter by its name', async () => {
  const cycleId = await prepare(await golden(200));
  const temperatures = new Set<unknown>();
  server.answer = ({ body }) => {
    temperatures.add(body.temperature);
    return 'x';
  };
  let answered = 0;
  await run(cycleId, { onAnswer: (n: number) => (answered = n) });
  expect([...server.asked]).toEqual(
    expect.arrayContaining([
      ['base', 200],
      [`${model}-v2`, 200],
    ]),
  );
  expect([...temperatures]).toEqual([0]);
  expect(answered).toBe(400);
});

test('stops a worse candidate, and one that is as good but not shown to be', async () => {
  const worse = await prepare(await golden(200));
  server.answer = answersOf(
    (i) => i < 150,
    (i) => i < 100,
  );
  expect(await run(worse)).toMatchObject({ passed: false, challenger: 0.5, champion: 0.75 });
  await stage.db.pool.query('DELETE FROM evaluations WHERE cycle_id = $1', [worse]);
  server.answer = answersOf(
    (i) => i % 2 === 0,
    (i) => i % 2 === 1,
  );
  expect(await run(worse)).toMatchObject({ passed: false, difference: 0 });
});

test('a retry answers what is stored, without asking again', async () => {
  const cycleId = await prepare(await golden(200));
  server.answer = () => 'x';
  const first = await run(cycleId);
  await server.close();
  expect(await run(cycleId)).toEqual(first);
});

test('without a golden set everybody passes, and the record says so', async () => {
  const cycleId = await prepare(null);
  expect(await run(cycleId)).toMatchObject({
    passed: true,
    noGate: true,
    n: 0,
    champion: null,
    challenger: null,
    summary: expect.stringContaining('no_gate'),
  });
  expect(await stage.db.prisma.evaluation.findUniqueOrThrow({ where: { cycleId } })).toMatchObject({
    noGate: true,
    passed: true,
    goldenDigest: null,
  });
  expect(server.requests).toEqual([]);
});

test('reads a golden set by its artifact URI', async () => {
  const rows = Array.from({ length: 200 }, (_, i) => `${JSON.stringify(goldenRow(i))}\n`).join('');
  const { uri } = await stage.store.putFile('golden', rows);
  const cycleId = await prepare(uri);
  expect((await run(cycleId)).n).toBe(200);
});

describe('a golden set that cannot be used', () => {
  const good = JSON.stringify(goldenRow(1));
  test.each([
    ['no JSON', [good, 'nonsense'], 'line 2 is not JSON'],
    ['no answer', [good, '', '{"messages":[{"role":"user","content":"q"}]}'], 'line 3'],
    [
      'an answer that is a question',
      ['{"messages":[{"role":"user","content":"q"},{"role":"user","content":"r"}]}'],
      'line 1: the last message',
    ],
    [
      'no text',
      ['{"messages":[{"role":"user","content":null},{"role":"assistant","content":"a"}]}'],
      'line 1: messages.0.content',
    ],
  ])('is refused with its line: %s', async (_what, lines, expected) => {
    const cycleId = await prepare(await golden(lines));
    expect(await failure(run(cycleId))).toMatchObject({
      code: 'golden_set_unreadable',
      message: expect.stringContaining(expected),
    });
  });

  test('is one of fewer than 200 rows, with its size', async () => {
    const cycleId = await prepare(await golden(199));
    expect(await failure(run(cycleId))).toMatchObject({ code: 'golden_set_too_small', details: { n: 199 } });
    expect(server.requests).toEqual([]);
  });

  test.each(['golden/nowhere.jsonl', '../../etc/passwd', '/etc/passwd', 'golden'])('is one at %s', async (path) => {
    const cycleId = await prepare(path);
    expect(await failure(run(cycleId))).toMatchObject({ code: 'golden_set_unreadable' });
  });
});

describe('a server in trouble', () => {
  test('is asked again after a hiccup', async () => {
    const cycleId = await prepare(await golden(200));
    server.answer = answersOf(
      () => true,
      () => true,
    );
    server.drop(3, 'before', /chat/);
    expect(await run(cycleId)).toMatchObject({ champion: 1, challenger: 1 });
  });

  test('is not mistaken for wrong answers: nothing is stored', { timeout: 30_000 }, async () => {
    const cycleId = await prepare(await golden(200));
    server.answer = ({ version }) => (version === 2 ? { status: 503, message: 'overloaded' } : 'x');
    expect(await failure(run(cycleId))).toMatchObject({ code: 'serving_unreachable', retryable: true });
    expect(await stage.db.prisma.evaluation.count({ where: { cycleId } })).toBe(0);
  });

  test('that does not know the candidate is refused at once', async () => {
    const cycleId = await prepare(await golden(200));
    server.restart();
    expect(await failure(run(cycleId))).toMatchObject({
      code: 'serving_refused',
      message: expect.stringContaining(`${model}-v2`),
    });
  });

  test('that cannot answer a single question got that one wrong', async () => {
    const cycleId = await prepare(await golden(200));
    const right = answersOf(
      () => true,
      () => true,
    );
    server.answer = (chat) =>
      chat.question === 'Question 7?' && chat.version === 2 ? { status: 400, message: 'too long' } : right(chat);
    expect(await run(cycleId)).toMatchObject({ champion: 1, challenger: 0.995 });
  });
});

test('ends at once when it is told to', async () => {
  const cycleId = await prepare(await golden(200));
  server.answer = () => new Promise((resolve) => setTimeout(() => resolve('late'), 5_000));
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 100);
  const startedAt = performance.now();
  await expect(run(cycleId, { signal: stop.signal })).rejects.toThrow();
  expect(performance.now() - startedAt).toBeLessThan(4_000);
});
