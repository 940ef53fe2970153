import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDb, type Db } from '../../src/db/index.js';
import { latestOutcomes, newId, storeFeedback, storeInteractions } from '../../src/interactions/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const KEY = 'subject-key-of-the-tests';
let database: TestDatabase;
let db: Db;

beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(database.url, { max: 4 });
  await db.prisma.model.create({ data: { name: 'support', policy: {}, policyDigest: 'd'.repeat(64), sandbox: true } });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

let count = 0;
const record = (): Record<string, unknown> => ({
  id: newId(),
  external_id: `k-${count++}`,
  timestamp: new Date().toISOString(),
  model: 'support',
  subject: `user-${count}`,
  request: { messages: [{ role: 'user', content: 'x' }] },
  response: { choices: ['There.', 'Here.'].map((content, index) => ({ index, message: { content } })) },
});
async function interaction(): Promise<string> {
  const [result] = await storeInteractions(db, KEY, [record()]);
  return result?.id ?? '';
}
async function say(interactionId: string, ...items: Record<string, unknown>[]): Promise<void> {
  for (const item of items) {
    const [result] = await storeFeedback(db, [{ interaction: interactionId, ...item }]);
    expect(result?.status).toBe('stored');
  }
}
const rows = (interactionId: string) =>
  db.prisma.feedback.findMany({ where: { interactionId }, orderBy: { receivedAt: 'asc' } });
async function outcome(interactionId: string, asOf = new Date(Date.now() + 60_000)): Promise<number | null> {
  const interactions = '(SELECT id, response FROM interactions WHERE id = $1)';
  const sql = latestOutcomes({ interactions, asOf: '$2::timestamptz', minRating: '0.75' });
  const { rows: found } = await db.pool.query<{ outcome: number }>(sql, [interactionId, asOf]);
  return found[0]?.outcome ?? null;
}

const KINDS: [Record<string, unknown>, Record<string, unknown>, number | null][] = [
  [{ kind: 'thumbs', value: 1 }, { value: 1 }, 1],
  [{ kind: 'thumbs', value: 0 }, { value: 0 }, null],
  [{ kind: 'thumbs', value: -1 }, { value: -1 }, 0],
  [{ kind: 'rating', value: 4, min: 1, max: 5 }, { value: 4, min: 1, max: 5 }, 1],
  [{ kind: 'rating', value: -1.5, min: -2, max: 2 }, { value: -1.5, min: -2, max: 2 }, 0],
  [{ kind: 'correction', value: 'Elsewhere.' }, { value: 'Elsewhere.' }, 0],
  [{ kind: 'correction', value: ' There.\n' }, { value: ' There.\n' }, null],
  [{ kind: 'correction', value: 'Here.', choice_index: 1 }, { value: 'Here.' }, null],
  [{ kind: 'correction', value: 'There.', choice_index: 1 }, { value: 'There.' }, 0],
  [{ kind: 'preference', chosen: 'a', rejected: 'b' }, { chosen: 'a', rejected: 'b' }, null],
  [{ kind: 'comment', value: 'Thanks' }, { value: 'Thanks' }, null],
  [{ kind: 'score', name: 'toxicity', value: 0.1 }, { name: 'toxicity', value: 0.1 }, null],
  [{ kind: 'edited', value: 'Over there.' }, { value: 'Over there.' }, null],
  [{ kind: 'copied' }, {}, null],
  [{ kind: 'regenerated' }, {}, null],
];

describe('feedback of every kind', () => {
  it.each(KINDS)(
    '%j is stored after its interaction and before it, with what it means',
    async (item, body, expected) => {
      const after = await interaction();
      await say(after, item);
      const late = record();
      await say(String(late.id), item);
      await storeFeedback(db, [{ model: 'support', external_id: late.external_id, ...item }]);
      await storeInteractions(db, KEY, [late]);
      const choiceIndex = (item.choice_index as number | undefined) ?? 0;
      const stored = { kind: item.kind, body, choiceIndex, source: 'user', model: 'support', retractedAt: null };
      expect(await rows(after)).toMatchObject([stored]);
      expect(await rows(String(late.id))).toMatchObject([stored, stored]);
      expect([await outcome(after), await outcome(String(late.id))]).toEqual([expected, expected]);
    },
  );
});

describe('feedback that is repeated', () => {
  it('is all kept, and the last word counts, whoever had it', async () => {
    const id = await interaction();
    await say(id, { kind: 'thumbs', value: 1 }, { kind: 'thumbs', value: -1 });
    expect(await outcome(id)).toBe(0);
    await say(id, { kind: 'rating', value: 5, min: 1, max: 5, source: 'reviewer' }, { kind: 'comment', value: 'x' });
    expect(await outcome(id)).toBe(1);
    expect(await rows(id)).toHaveLength(4);
  });

  it('falls back to the word before when the last one is taken back', async () => {
    const id = await interaction();
    const last = newId();
    await say(id, { kind: 'thumbs', value: 1 }, { kind: 'thumbs', value: -1, id: last });
    const before = new Date();
    await new Promise((resolve) => setTimeout(resolve, 5));
    await storeFeedback(db, [{ id: last, retracted: true }]);
    expect(await outcome(id)).toBe(1);
    // What was decided on the feedback of an instant can be recomputed as of it.
    expect(await outcome(id, before)).toBe(0);
    expect(await rows(id)).toHaveLength(2);
  });

  it('says nothing to what was decided before it came', async () => {
    const id = await interaction();
    const before = new Date();
    await new Promise((resolve) => setTimeout(resolve, 5));
    await say(id, { kind: 'thumbs', value: 1 });
    expect([await outcome(id, before), await outcome(id)]).toEqual([null, 1]);
  });
});
