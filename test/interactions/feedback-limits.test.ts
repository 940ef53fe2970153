import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDb, type Db } from '../../src/db/index.js';
import { newId, storeFeedback, storeInteractions, sweepFeedback } from '../../src/interactions/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const KEY = 'subject-key-of-the-tests';
const LIMIT = 5;
let database: TestDatabase;
let db: Db;

beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(database.url, { max: 8 });
  const model = (name: string, max_per_subject_per_day: number | null) =>
    db.prisma.model.create({
      data: { name, policy: { feedback: { max_per_subject_per_day } }, policyDigest: 'd'.repeat(64), sandbox: true },
    });
  await model('few', LIMIT);
  await model('other', LIMIT);
  await model('unlimited', null);
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

let subjects = 0;
let subject: string;
beforeEach(() => {
  subject = `user-${subjects++}`;
});

let count = 0;
const record = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  external_id: `l-${count++}`,
  timestamp: '2026-11-01T12:00:00Z',
  model: 'few',
  subject,
  request: { messages: [{ role: 'user', content: 'x' }] },
  response: { choices: [{ index: 0, message: { content: 'y' } }] },
  ...more,
});
async function interaction(more: Record<string, unknown> = {}): Promise<string> {
  const [result] = await storeInteractions(db, KEY, [record(more)]);
  expect(result?.status).toBe('stored');
  return result?.id ?? '';
}
const thumbs = (interactionId: string, more: object = {}) => ({
  interaction: interactionId,
  kind: 'thumbs',
  value: 1,
  ...more,
});
const many = (n: number, make: (n: number) => unknown) => Array.from({ length: n }, (_, index) => make(index));
async function statuses(items: unknown[], options = {}): Promise<string[]> {
  return (await storeFeedback(db, items, options)).map(({ status }) => status);
}
const repeated = (status: string, n: number) => Array.from({ length: n }, () => status);
const rows = (ids: string[]) => db.prisma.feedback.count({ where: { interactionId: { in: ids } } });

describe('feedback.max_per_subject_per_day', () => {
  it('holds over all interactions of a subject; what is over it is not stored, and says so', async () => {
    const [a, b] = [await interaction(), await interaction()];
    expect(await statuses(many(LIMIT - 1, () => thumbs(a)))).toEqual(repeated('stored', LIMIT - 1));
    let told = 0;
    const options = { onOverLimit: (n: number) => (told += n) };
    const results = await storeFeedback(db, [thumbs(b), thumbs(a), thumbs(b)], options);
    expect(results.map(({ status }) => status)).toEqual(['stored', 'invalid', 'invalid']);
    expect(results[1]?.error).toContain('limit of 5 a day');
    expect(results[1]?.error).toContain('feedback.max_per_subject_per_day');
    expect(told).toBe(2);
    expect(await rows([a, b])).toBe(LIMIT);
    expect(await statuses([thumbs(a)])).toEqual(['invalid']);
  });

  it('is of one subject, one model and one day', async () => {
    const full = await interaction();
    await statuses(many(LIMIT, () => thumbs(full)));
    expect(await statuses([thumbs(full)])).toEqual(['invalid']);
    const elsewhere = await interaction({ model: 'other' });
    subject = `${subject}-friend`;
    const friend = await interaction();
    expect(
      await statuses([thumbs(elsewhere), thumbs(friend), thumbs(full, { timestamp: '2026-11-02T23:59:59Z' })]),
    ).toEqual(['stored', 'stored', 'stored']);
    // Tomorrow is not an excuse.
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString();
    expect(await statuses([thumbs(full, { timestamp: tomorrow })])).toEqual(['invalid']);
  });

  it('does not count reviewers and programs, resends, retractions and what was refused', async () => {
    const id = await interaction();
    const judged = many(3 * LIMIT, () => thumbs(id, { source: 'judge' }));
    expect(await statuses(judged)).toEqual(repeated('stored', 3 * LIMIT));
    const own = many(LIMIT, () => thumbs(id, { id: newId() })) as { id: string }[];
    expect(await statuses(own)).toEqual(repeated('stored', LIMIT));
    expect(await statuses([...own, { ...own[0], value: -1 }, { id: own[0]?.id, retracted: true }])).toEqual([
      ...repeated('duplicate', LIMIT),
      'conflict',
      'stored',
    ]);
    // Taking back makes no room: otherwise there would be no limit.
    expect(await statuses([thumbs(id)])).toEqual(['invalid']);
    const refused = thumbs(await interaction(), { id: newId() });
    expect(await statuses([refused, refused])).toEqual(['invalid', 'invalid']);
    await db.pool.query(`UPDATE feedback_days SET given = 0`);
    expect(await statuses([refused, refused])).toEqual(['stored', 'duplicate']);
  });

  it('holds for senders that write at the same time', async () => {
    const ids = await Promise.all(many(4, () => interaction()) as Promise<string>[]);
    const same = many(3, (n) => thumbs(ids[n % 4] ?? '', { id: newId() }));
    const sent = [same, same, many(3, (n) => thumbs(ids[n] ?? '')), many(3, () => thumbs(ids[3] ?? '')), same];
    const results = (await Promise.all(sent.map((batch) => statuses(batch)))).flat();
    expect(results.filter((status) => status === 'stored')).toHaveLength(LIMIT);
    expect(await rows(ids)).toBe(LIMIT);
    const { rows: counted } = await db.pool.query<{ given: number }>(
      'SELECT d.given FROM feedback_days d JOIN interactions i ON i.subject = d.giver WHERE i.id = $1',
      [ids[0]],
    );
    expect(counted).toEqual([{ given: LIMIT }]);
  });

  it('is of the interaction where the subject is not known, and then joins what was stored', async () => {
    const id = newId();
    const item = record({ id });
    const early = many(LIMIT + 1, () => ({ kind: 'copied', model: 'few', external_id: item.external_id }));
    expect(await statuses(early)).toEqual([...repeated('stored', LIMIT), 'invalid']);
    await storeInteractions(db, KEY, [item]);
    expect(await rows([id])).toBe(LIMIT);
    const anonymous = await interaction({ subject: null });
    expect(await statuses(many(LIMIT + 1, () => thumbs(anonymous)))).toEqual([...repeated('stored', LIMIT), 'invalid']);
  });

  it('is none when it is null', async () => {
    const id = await interaction({ model: 'unlimited' });
    expect(await statuses(many(300, () => thumbs(id)))).toEqual(repeated('stored', 300));
  });
});

describe('a choice that feedback is about', () => {
  it('must exist, where the answer is known', async () => {
    const choices = [0, 1].map((index) => ({ index, message: { content: 'y' } }));
    const two = await interaction({ response: { choices } });
    const open = await interaction({ response: null });
    const results = await storeFeedback(db, [
      thumbs(two, { choice_index: 1 }),
      thumbs(two, { choice_index: 2 }),
      thumbs(open, { choice_index: 2 }),
      thumbs(newId(), { choice_index: 2 }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['stored', 'invalid', 'stored', 'stored']);
    expect(results[1]?.error).toContain('choice_index');
  });
});

describe('feedback that waits for its interaction', () => {
  it('waits until it is swept; joined feedback and feedback that still has time stay', async () => {
    const joined = await interaction();
    const [late, soon] = [record({ id: newId() }), record({ id: newId() })];
    const results = await storeFeedback(db, [
      thumbs(joined),
      thumbs(String(late.id)),
      { kind: 'copied', model: 'few', external_id: late.external_id },
      thumbs(String(soon.id)),
    ]);
    const [old, byId, byName, young] = results.map(({ id }) => id ?? '');
    await db.pool.query(`UPDATE feedback SET received_at = now() - interval '31 days' WHERE id = ANY($1::uuid[])`, [
      [old, byId, byName],
    ]);
    const month = new Date(Date.now() - 30 * 86_400_000);
    const sweeps = await Promise.all([sweepFeedback(db, month), sweepFeedback(db, month)]);
    expect(sweeps.reduce((sum, { expired }) => sum + expired, 0)).toBe(2);
    const left = await db.prisma.feedback.findMany({ where: { id: { in: [old, byId, byName, young] as string[] } } });
    expect(left.map(({ id }) => id).sort()).toEqual([old, young].sort());
    await storeInteractions(db, KEY, [late, soon]);
    expect(await rows([String(late.id)])).toBe(0);
    expect(await rows([String(soon.id)])).toBe(1);
  });

  it('in more than one batch is swept as well, and so are the counts of days gone by', async () => {
    const waiting = many(1_000, () => ({ ...thumbs(newId()), source: 'judge' }));
    await storeFeedback(db, [...waiting]);
    await storeFeedback(
      db,
      many(500, () => ({ ...thumbs(newId()), source: 'judge' })),
    );
    await storeFeedback(db, [thumbs(await interaction(), { timestamp: '2026-01-01T00:00:00Z' })]);
    await storeFeedback(db, [thumbs(await interaction())]);
    const { expired } = await sweepFeedback(db, new Date(Date.now() + 1_000));
    expect(expired).toBeGreaterThanOrEqual(1_500);
    const { rows: days } = await db.pool.query<{ day: string }>('SELECT DISTINCT day::text FROM feedback_days');
    expect(days).toEqual([{ day: new Date().toISOString().slice(0, 10) }]);
  });
});
