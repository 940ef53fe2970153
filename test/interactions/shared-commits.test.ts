import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDb, type Db } from '../../src/db/index.js';
import { newId, openInteractionStore, storeFeedback } from '../../src/interactions/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let database: TestDatabase;
let db: Db;
let store: ReturnType<typeof openInteractionStore>;

beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(database.url, { max: 8 });
  for (const name of ['support', 'other']) {
    await db.prisma.model.create({ data: { name, policy: {}, policyDigest: 'd'.repeat(64), sandbox: true } });
  }
  // What Postgres refuses for its value and nobody could have seen before.
  await db.pool.query(`ALTER TABLE interactions ADD CONSTRAINT poison CHECK (session IS DISTINCT FROM 'poison')`);
  store = openInteractionStore(db, 'subject-key-of-the-tests');
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

interface Item extends Record<string, unknown> {
  id: string;
}

function record(more: Record<string, unknown> = {}): Item {
  return {
    id: newId(new Date('2026-11-01T12:00:00Z')),
    timestamp: '2026-11-01T12:00:00Z',
    model: 'support',
    subject: 'user-17',
    request: { messages: [{ role: 'user', content: 'Where is it?' }] },
    response: { choices: [{ index: 0, message: { role: 'assistant', content: 'There.' } }] },
    ...more,
  };
}
/** Each in a call of its own, all at once. */
async function storeEach(items: readonly unknown[], model?: string) {
  const results = await Promise.all(items.map((item) => store.store([item], { model: model ?? null })));
  return results.map(([result]) => result);
}
const statuses = async (items: readonly unknown[], model?: string) =>
  (await storeEach(items, model)).map((result) => result?.status);

it('writes many single calls in a few transactions', async () => {
  const items = Array.from({ length: 64 }, () => record());
  expect(new Set(await statuses(items))).toEqual(new Set(['stored']));
  const { rows } = await db.pool.query<{ rows: string; transactions: string }>(
    'SELECT count(*) AS rows, count(DISTINCT xmin::text) AS transactions FROM interactions WHERE id = ANY($1::uuid[])',
    [items.map(({ id }) => id)],
  );
  expect(Number(rows[0]?.rows)).toBe(64);
  expect(Number(rows[0]?.transactions)).toBeLessThanOrEqual(8);
});

it('answers each call as if it had come alone: stored once, then duplicates and conflicts', async () => {
  const item = record();
  const other = { ...item, session: 'another' };
  // Something to be under way first, so that the rest shares.
  const answers = await statuses([record(), record(), item, other, item, other, item]);
  expect(answers.slice(2)).toEqual(['stored', 'conflict', 'duplicate', 'conflict', 'duplicate']);
  const row = await db.prisma.interaction.findFirstOrThrow({ where: { id: item.id } });
  expect(row.session).toBeNull();
});

it('stores everything around what is invalid, unknown or refused by Postgres', async () => {
  const good = () => record();
  const items = [
    good(),
    good(),
    { ...record(), arm: 'x' },
    good(),
    record({ model: 'nobody' }),
    good(),
    record({ session: 'poison' }),
    good(),
  ];
  const results = await storeEach(items);
  expect(results.map((result) => result?.status)).toEqual([
    'stored',
    'stored',
    'invalid',
    'stored',
    'invalid',
    'stored',
    'invalid',
    'stored',
  ]);
  expect(results[6]?.error).toBe('cannot be stored (SQLSTATE 23514)');
  const ids = items.map((item) => item.id);
  expect(await db.prisma.interaction.count({ where: { id: { in: ids } } })).toBe(5);
});

it('keeps what a sender may see apart, also in one transaction', async () => {
  const items = Array.from({ length: 8 }, (_, index) => record({ model: index % 2 === 0 ? 'support' : 'other' }));
  const [all, own] = await Promise.all([statuses([record(), record()]), statuses(items, 'support')]);
  expect(all).toEqual(['stored', 'stored']);
  expect(own).toEqual(items.map((_, index) => (index % 2 === 0 ? 'stored' : 'invalid')));
});

it('joins parked feedback to each interaction of a shared transaction, under either name', async () => {
  const items = Array.from({ length: 20 }, (_, index) => record({ external_id: `parked-${index}` }));
  await storeFeedback(
    db,
    items.flatMap(({ id, external_id }) => [
      { model: 'support', external_id, kind: 'thumbs', value: 1 },
      { interaction: id, kind: 'copied' },
    ]),
  );
  // Of a sender bound to one model: under the id as a name.
  await storeFeedback(
    db,
    items.map(({ id }) => ({ interaction: id, kind: 'comment', value: 'Fine.' })),
    { model: 'support' },
  );
  expect(new Set(await statuses(items))).toEqual(new Set(['stored']));
  const rows = await db.prisma.feedback.findMany({ where: { interactionId: { in: items.map(({ id }) => id) } } });
  expect(rows).toHaveLength(60);
  expect(new Set(rows.map(({ model }) => model))).toEqual(new Set(['support']));
});

it('stores what is sent again and again by many at once exactly once', async () => {
  const items = Array.from({ length: 50 }, () => record({ feedback: [{ kind: 'thumbs', value: 1 }] }));
  const calls = Array.from({ length: 8 }, (_, index) => (index % 2 === 0 ? items : items.toReversed()));
  const other = openInteractionStore(db, 'subject-key-of-the-tests');
  const answers = await Promise.all(calls.map((call, index) => (index < 4 ? store : other).store(call)));
  const all = answers.flat();
  expect(all.filter(({ status }) => status === 'stored')).toHaveLength(50);
  expect(all.filter(({ status }) => status === 'duplicate')).toHaveLength(350);
  const ids = items.map(({ id }) => id);
  expect(await db.prisma.interaction.count({ where: { id: { in: ids } } })).toBe(50);
  expect(await db.prisma.feedback.count({ where: { interactionId: { in: ids } } })).toBe(50);
});

it('takes values of every kind through the binary format as they are', async () => {
  const item = record({
    id: undefined,
    external_id: 'ä “quoted”, {braces} \\ 😀',
    timestamp: '1999-12-31T23:59:59.999Z',
    session: 'NULL',
    latency_ms: 2_147_483_647,
    request: {
      messages: [{ role: 'user', content: 'half \ud800 a pair, \0, “”, \\u0000' }],
      10: 1,
      9: [null, true, 1e-7],
    },
    response: null,
    tags: { 'a.b': '', ü: '"' },
  });
  const [result] = await store.store([item]);
  expect(result?.status).toBe('stored');
  const row = await db.prisma.interaction.findFirstOrThrow({ where: { id: result?.id ?? '' } });
  expect(row).toMatchObject({
    externalId: item.external_id,
    askedAt: new Date('1999-12-31T23:59:59.999Z'),
    session: 'NULL',
    latencyMs: 2_147_483_647,
    version: null,
    response: null,
    status: 'incomplete',
    tags: { 'a.b': '', ü: '"' },
    request: {
      messages: [{ role: 'user', content: 'half \ufffd a pair, \ufffd, “”, \\u0000' }],
      10: 1,
      9: [null, true, 1e-7],
    },
  });
});
