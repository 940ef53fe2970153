import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDb, type Db } from '../../src/db/index.js';
import { hashSubject, newId, storeFeedback, storeInteractions } from '../../src/interactions/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const KEY = 'subject-key-of-the-tests';
let database: TestDatabase;
let db: Db;

beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(database.url, { max: 8 });
  for (const name of ['support', 'other']) {
    await db.prisma.model.create({ data: { name, policy: {}, policyDigest: 'd'.repeat(64), sandbox: true } });
  }
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

let count = 0;
function record(more: Record<string, unknown> = {}): Record<string, unknown> {
  count += 1;
  return {
    external_id: `e-${count}`,
    timestamp: '2026-11-01T12:00:00Z',
    model: 'support',
    subject: 'user-17',
    request: { messages: [{ role: 'user', content: 'Where is it?' }] },
    response: {
      choices: [{ index: 0, message: { role: 'assistant', content: 'There.' } }],
      usage: { prompt_tokens: 9, completion_tokens: 3 },
    },
    ...more,
  };
}
const store = (items: unknown[], model?: string) => storeInteractions(db, KEY, items, { model: model ?? null });
const feedbackOf = (interactionId: string) =>
  db.prisma.feedback.findMany({ where: { interactionId }, orderBy: { id: 'asc' } });

describe('storeInteractions', () => {
  it('stores a record as it was sent, with the subject hashed', async () => {
    const item = record({ session: 's-9', version: 2, latency_ms: 41.4, tags: { locale: 'en' } });
    const [result] = await store([item]);
    expect(result?.status).toBe('stored');
    const row = await db.prisma.interaction.findFirstOrThrow({ where: { id: result?.id ?? '' } });
    expect(row).toMatchObject({
      model: 'support',
      externalId: item.external_id,
      askedAt: new Date('2026-11-01T12:00:00Z'),
      subject: hashSubject(KEY, 'user-17'),
      session: 's-9',
      version: 2,
      latencyMs: 41,
      status: 'complete',
      arm: null,
      promptTokens: 9,
      completionTokens: 3,
      tags: { locale: 'en' },
      request: item.request,
      response: item.response,
    });
  });

  it('finds a resend, whatever its key order and spelling of the time, and changes nothing', async () => {
    const item = record({ feedback: [{ kind: 'thumbs', value: 1 }] });
    const [first] = await store([item]);
    const before = await db.prisma.interaction.findFirstOrThrow({ where: { id: first?.id ?? '' } });
    const respelled = {
      ...Object.fromEntries(Object.entries(item).reverse()),
      timestamp: '2026-11-01T13:00:00.000+01:00',
    };
    expect(await store([respelled, item])).toEqual([
      { id: first?.id, status: 'duplicate' },
      { id: first?.id, status: 'duplicate' },
    ]);
    expect(await db.prisma.interaction.findFirstOrThrow({ where: { id: first?.id ?? '' } })).toEqual(before);
    expect(await feedbackOf(first?.id ?? '')).toHaveLength(1);
  });

  it('answers another body under a stored id with conflict, and leaves the stored one', async () => {
    const item = record({ id: newId() });
    const other = {
      ...item,
      response: { choices: [{ index: 0, message: { role: 'assistant', content: 'Elsewhere.' } }] },
      feedback: [{ kind: 'thumbs', value: 1 }],
    };
    const results = await store([item, other, item]);
    expect(results.map(({ status }) => status)).toEqual(['stored', 'conflict', 'duplicate']);
    expect((await store([other]))[0]).toMatchObject({ id: item.id, status: 'conflict', error: expect.any(String) });
    const row = await db.prisma.interaction.findFirstOrThrow({ where: { id: String(item.id) } });
    expect(row.response).toEqual(item.response);
    expect(await feedbackOf(row.id)).toEqual([]);
  });

  it('stores everything but the bad items of a batch', async () => {
    let deep: unknown = 'x';
    for (let n = 0; n < 20_000; n++) deep = [deep];
    const bad: [unknown, string][] = [
      [null, 'record'],
      ['text', 'record'],
      [{}, 'timestamp'],
      [record({ external_id: undefined }), 'id or external_id'],
      [record({ id: randomUUID() }), 'id'],
      [record({ timestamp: '2026-11-01 12:00' }), 'timestamp'],
      [record({ timestamp: '1969-12-31T23:59:59Z' }), 'timestamp'],
      [record({ model: 'nobody' }), 'nobody'],
      [record({ request: { messages: [] } }), 'request.messages'],
      [record({ response: {} }), 'response.choices'],
      [record({ arm: 'challenger' }), 'arm'],
      [record({ status: 'failed' }), 'status'],
      [record({ tags: { 'understudy.fallback': 'true' } }), 'understudy.'],
      [record({ external_id: 'a\0b' }), 'external_id'],
      [record({ feedback: [{ kind: 'thumbs', value: 2 }] }), 'feedback.0.value'],
      [record({ feedback: [{ kind: 'rating', value: 6, min: 1, max: 5 }] }), 'feedback.0.value'],
      [record({ feedback: [{ kind: 'applause' }] }), 'feedback.0.kind'],
      [record({ request: { messages: [{ role: 'user', content: deep }] } }), 'nested too deep'],
    ];
    const good = bad.map(() => record());
    const results = await store(bad.flatMap(([item], index) => [item, good[index]]));
    for (const [index, [, problem]] of bad.entries()) {
      expect(results[2 * index]).toMatchObject({ status: 'invalid', error: expect.stringContaining(problem) });
      expect(results[2 * index + 1]?.status).toBe('stored');
    }
    expect(
      await db.prisma.interaction.count({
        where: { externalId: { in: good.map((item) => String(item.external_id)) } },
      }),
    ).toBe(good.length);
  });

  it('keeps feedback that came with the record in its order, under ids that a resend finds', async () => {
    const item = record({
      feedback: [
        { kind: 'thumbs', value: -1 },
        { kind: 'correction', value: 'In the shed.' },
        { kind: 'rating', value: 4, min: 1, max: 5, source: 'judge', timestamp: '2026-11-02T00:00:00Z' },
      ],
    });
    const [result] = await store([item]);
    const rows = await feedbackOf(result?.id ?? '');
    expect(rows.map(({ kind, body, source, model }) => ({ kind, body, source, model }))).toEqual([
      { kind: 'thumbs', body: { value: -1 }, source: 'user', model: 'support' },
      { kind: 'correction', body: { value: 'In the shed.' }, source: 'user', model: 'support' },
      { kind: 'rating', body: { value: 4, min: 1, max: 5 }, source: 'judge', model: 'support' },
    ]);
    expect(rows.map(({ givenAt }) => givenAt.toISOString())).toEqual([
      '2026-11-01T12:00:00.000Z',
      '2026-11-01T12:00:00.000Z',
      '2026-11-02T00:00:00.000Z',
    ]);
    await store([item]);
    expect(await feedbackOf(result?.id ?? '')).toEqual(rows);
  });

  it('takes records of any time, an answer not known yet, and a subject that only the request names', async () => {
    const [old, open] = await store([
      record({ timestamp: '2001-01-01T00:00:00Z' }),
      record({ response: null, subject: null, request: { messages: [{ role: 'user', content: 'x' }], user: 'ada' } }),
    ]);
    expect(old?.status).toBe('stored');
    const row = await db.prisma.interaction.findFirstOrThrow({ where: { id: open?.id ?? '' } });
    expect(row).toMatchObject({ status: 'incomplete', response: null, subject: hashSubject(KEY, 'ada') });
    expect(row.request).toMatchObject({ user: hashSubject(KEY, 'ada') });
  });

  it('answers a model that the sender may not see exactly as one that does not exist', async () => {
    const [hidden] = await store([record({ model: 'other' })], 'support');
    const [missing] = await store([record({ model: 'nobody' })], 'support');
    expect(hidden?.error?.replace('other', 'nobody')).toBe(missing?.error);
    expect([hidden?.status, missing?.status]).toEqual(['invalid', 'invalid']);
  });

  it('stores each of many batches sent twice and at once exactly once', async () => {
    const batches = Array.from({ length: 6 }, () =>
      Array.from({ length: 40 }, () => record({ feedback: [{ kind: 'thumbs', value: 1 }] })),
    );
    const sent = batches.flatMap((batch) => [store(batch), store(batch.toReversed())]);
    const results = (await Promise.all(sent)).flat();
    expect(results.filter(({ status }) => status === 'stored')).toHaveLength(240);
    expect(results.filter(({ status }) => status === 'duplicate')).toHaveLength(240);
    const ids = [...new Set(results.map(({ id }) => id ?? ''))];
    expect(await db.prisma.interaction.count({ where: { id: { in: ids } } })).toBe(240);
    expect(await db.prisma.feedback.count({ where: { interactionId: { in: ids } } })).toBe(240);
  });
});

describe('storeFeedback', () => {
  const say = (items: unknown[], model?: string) => storeFeedback(db, items, { model: model ?? null });
  async function interaction(more: Record<string, unknown> = {}) {
    const item = record(more);
    const [result] = await store([item]);
    return { id: result?.id ?? '', externalId: String(item.external_id) };
  }

  it('reaches an interaction by id or by model and external_id; the id wins', async () => {
    const choices = ['There.', 'In the shed.'].map((content, index) => ({ index, message: { content } }));
    const [a, b] = [await interaction(), await interaction({ response: { choices } })];
    const results = await say([
      { interaction: a.id.toUpperCase(), kind: 'thumbs', value: 1 },
      { model: 'support', external_id: a.externalId, kind: 'copied' },
      { interaction: b.id, model: 'support', external_id: a.externalId, kind: 'regenerated', choice_index: 1 },
    ]);
    expect(results.map(({ status }) => status)).toEqual(['stored', 'stored', 'stored']);
    expect((await feedbackOf(a.id)).map(({ kind }) => kind)).toEqual(['thumbs', 'copied']);
    expect(await feedbackOf(b.id)).toMatchObject([{ kind: 'regenerated', choiceIndex: 1, model: 'support', body: {} }]);
  });

  it('finds a resend by its id, refuses another body, and takes back what is retracted', async () => {
    const { id } = await interaction();
    const said = { id: newId(), interaction: id, kind: 'comment', value: 'Thanks' };
    const statuses = async (items: unknown[]) => (await say(items)).map(({ status }) => status);
    expect(await statuses([said, said])).toEqual(['stored', 'duplicate']);
    expect(await statuses([{ ...said, value: 'No thanks' }])).toEqual(['conflict']);
    expect(await feedbackOf(id)).toMatchObject([{ retractedAt: null, body: { value: 'Thanks' } }]);
    expect(await statuses([{ id: said.id, retracted: true }, { ...said, retracted: true }, said])).toEqual([
      'stored',
      'duplicate',
      'duplicate',
    ]);
    const [row] = await feedbackOf(id);
    expect(row?.retractedAt).toBeInstanceOf(Date);
    expect(await statuses([{ ...said, value: 'Other', retracted: true }])).toEqual(['conflict']);
    expect((await say([{ id: newId(), retracted: true }]))[0]).toMatchObject({ status: 'invalid' });
    expect(await statuses([{ interaction: id, kind: 'copied', retracted: true }])).toEqual(['invalid']);
  });

  it('remembers a retraction that came before what it takes back', async () => {
    const { id } = await interaction();
    const said = { id: newId(), interaction: id, kind: 'thumbs', value: 1 };
    expect(await say([{ ...said, retracted: true }])).toEqual([{ id: said.id, status: 'stored' }]);
    expect(await say([said])).toEqual([{ id: said.id, status: 'duplicate' }]);
    expect((await feedbackOf(id))[0]?.retractedAt).toBeInstanceOf(Date);
  });

  it('takes back what came earlier in the same batch', async () => {
    const { id } = await interaction();
    const said = { id: newId(), interaction: id, kind: 'thumbs', value: 1 };
    expect((await say([said, { id: said.id, retracted: true }])).map(({ status }) => status)).toEqual([
      'stored',
      'stored',
    ]);
    expect((await feedbackOf(id))[0]?.retractedAt).toBeInstanceOf(Date);
  });

  it('waits for its interaction and is joined to it', async () => {
    const item = record({ id: newId() });
    const results = await say([
      { model: 'support', external_id: item.external_id, kind: 'thumbs', value: -1 },
      { interaction: item.id, kind: 'copied' },
      { model: 'other', external_id: item.external_id, kind: 'edited', value: 'x' },
    ]);
    expect(results.map(({ status }) => status)).toEqual(['stored', 'stored', 'stored']);
    await store([item]);
    expect(await feedbackOf(String(item.id))).toMatchObject([
      { kind: 'thumbs', model: 'support' },
      { kind: 'copied', model: 'support' },
    ]);
    expect(
      await db.prisma.feedback.findFirst({ where: { kind: 'edited', externalId: String(item.external_id) } }),
    ).toMatchObject({ interactionId: null, model: 'other' });
  });

  it('is joined exactly once to an interaction that comes at the same instant', async () => {
    const items = Array.from({ length: 120 }, () => record({ id: newId() }));
    const work = items.flatMap((item) => [
      store([item]),
      say([{ model: 'support', external_id: item.external_id, kind: 'copied' }]),
      say([{ interaction: item.id, kind: 'thumbs', value: 1 }], 'support'),
    ]);
    await Promise.all(work);
    const ids = items.map((item) => String(item.id));
    const rows = await db.prisma.feedback.findMany({ where: { interactionId: { in: ids } } });
    expect(rows).toHaveLength(240);
    expect(new Set(rows.map(({ model }) => model))).toEqual(new Set(['support']));
  });

  it('of a sender bound to one model never reaches an interaction of another one', async () => {
    const known = await interaction({ model: 'other' });
    const coming = record({ id: newId(), model: 'other' });
    const own = record({ id: newId() });
    const statuses = (
      await say(
        [
          { interaction: known.id, kind: 'thumbs', value: 1 },
          { interaction: coming.id, kind: 'thumbs', value: 1 },
          { interaction: own.id, kind: 'thumbs', value: 1 },
        ],
        'support',
      )
    ).map(({ status }) => status);
    // No answer tells one from the other.
    expect(statuses).toEqual(['stored', 'stored', 'stored']);
    await store([coming, own]);
    expect(await feedbackOf(known.id)).toEqual([]);
    expect(await feedbackOf(String(coming.id))).toEqual([]);
    expect(await feedbackOf(String(own.id))).toMatchObject([{ kind: 'thumbs', model: 'support' }]);

    const [hidden, missing] = await say(
      [
        { model: 'other', external_id: known.externalId, kind: 'copied' },
        { model: 'nobody', external_id: known.externalId, kind: 'copied' },
      ],
      'support',
    );
    expect(hidden?.error?.replace('other', 'nobody')).toBe(missing?.error);
    const said = { id: newId(), interaction: known.id, kind: 'copied' };
    await say([said]);
    expect((await say([{ id: said.id, retracted: true }], 'support'))[0]?.status).toBe('invalid');
    expect((await feedbackOf(known.id))[0]?.retractedAt).toBeNull();
  });

  it('refuses what is not feedback, item by item, without quoting it', async () => {
    const { id } = await interaction();
    const bad = [
      null,
      { kind: 'thumbs', value: 1 },
      { interaction: id, kind: 'thumbs', value: 0.5 },
      { interaction: id, kind: 'rating', value: 4, min: 5, max: 1 },
      { interaction: id, kind: 'score', value: 1 },
      { interaction: id, kind: 'correction', value: '' },
      { interaction: id, kind: 'copied', value: 'canary-4711' },
      { interaction: 'canary-4711', kind: 'copied' },
      { model: 'support', kind: 'copied' },
    ];
    const results = await say([...bad, { interaction: id, kind: 'score', name: 'toxicity', value: 0.1 }]);
    expect(results.map(({ status }) => status)).toEqual([...bad.map(() => 'invalid'), 'stored']);
    expect(JSON.stringify(results)).not.toContain('canary-4711');
    expect(await feedbackOf(id)).toMatchObject([{ kind: 'score', body: { name: 'toxicity', value: 0.1 } }]);
  });
});
