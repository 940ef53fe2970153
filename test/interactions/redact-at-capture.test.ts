import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDb, type Db } from '../../src/db/index.js';
import { hashSubject, newId, redactAnswer, storeFeedback, storeInteractions } from '../../src/interactions/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const KEY = 'subject-key-of-the-tests';
let database: TestDatabase;
let db: Db;

beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(database.url, { max: 8 });
  const model = (name: string, policy: object) =>
    db.prisma.model.create({ data: { name, policy, policyDigest: 'd'.repeat(64), sandbox: true } });
  await model('careful', { capture: { redact_at: 'capture' } });
  await model('plain', {});
  await model('newer', { capture: { redact_at: 'before_capture' } });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

let count = 0;
const record = (model: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  external_id: `r-${count++}`,
  timestamp: '2026-11-01T12:00:00Z',
  model,
  request: { messages: [{ role: 'user', content: 'I am jane@example.org' }], user: 'jane@example.org' },
  response: { id: 'chatcmpl-5551234567', choices: [{ index: 0, message: { content: 'Call 555-123-4567' } }] },
  tags: { from: '10.1.2.3' },
  feedback: [
    { kind: 'correction', value: 'Call 555-765-4321', timestamp: '2026-11-02T00:00:00Z' },
    { kind: 'preference', chosen: 'a@b.org', rejected: 'c@d.org' },
  ],
  ...more,
});
const stored = (id: string | null | undefined) => db.prisma.interaction.findFirstOrThrow({ where: { id: id ?? '' } });
const said = (interactionId: string | null | undefined) =>
  db.prisma.feedback.findMany({ where: { interactionId: interactionId ?? '' }, orderBy: { id: 'asc' } });

describe('capture.redact_at: capture', () => {
  it('stores no personal data of request, response, tags and feedback, and tells subjects apart', async () => {
    const jane = record('careful');
    const joe = record('careful', { request: { messages: [{ role: 'user', content: 'x' }], user: 'joe@example.org' } });
    const [first, second] = await storeInteractions(db, KEY, [jane, joe]);
    const row = await stored(first?.id);
    expect(row).toMatchObject({
      subject: hashSubject(KEY, 'jane@example.org'),
      request: { messages: [{ content: 'I am [EMAIL]' }], user: hashSubject(KEY, 'jane@example.org') },
      response: { id: 'chatcmpl-5551234567', choices: [{ message: { content: 'Call [PHONE]' } }] },
      tags: { from: '[IP]' },
    });
    expect((await said(first?.id)).map(({ body, givenAt }) => [body, givenAt.toISOString()])).toEqual([
      [{ value: 'Call [PHONE]' }, '2026-11-02T00:00:00.000Z'],
      [{ chosen: '[EMAIL]', rejected: '[EMAIL]' }, '2026-11-01T12:00:00.000Z'],
    ]);
    expect((await stored(second?.id)).subject).toBe(hashSubject(KEY, 'joe@example.org'));
  });

  it('finds a resend, and calls another body a conflict', async () => {
    const item = record('careful');
    const statuses = async (items: unknown[]) => (await storeInteractions(db, KEY, items)).map(({ status }) => status);
    const other = { ...item, request: { messages: [{ role: 'user', content: 'I am somebody else' }] } };
    expect(await statuses([item])).toEqual(['stored']);
    expect(await statuses([item, { ...item, timestamp: '2026-11-01T13:00:00+01:00' }, other])).toEqual([
      'duplicate',
      'duplicate',
      'conflict',
    ]);
  });

  it('judges what is no record as it would without it', async () => {
    let deep: unknown = 'x';
    for (let n = 0; n < 20_000; n++) deep = [deep];
    const results = await storeInteractions(db, KEY, [
      null,
      'text',
      { model: 'careful' },
      record('careful', { feedback: 'x', request: 7 }),
      record('careful', { feedback: [null] }),
      record('careful', { request: { messages: [{ role: 'user', content: deep }] } }),
      record('careful'),
    ]);
    expect(results.map(({ status }) => status)).toEqual([
      'invalid',
      'invalid',
      'invalid',
      'invalid',
      'invalid',
      'stored',
      'stored',
    ]);
  });

  it('leaves what other models store as it came, and is careful with a policy of a later program', async () => {
    const [plain, newer] = await storeInteractions(db, KEY, [record('plain'), record('newer')]);
    expect((await stored(plain?.id)).request).toMatchObject({ messages: [{ content: 'I am jane@example.org' }] });
    expect((await said(plain?.id)).map(({ body }) => body)).toContainEqual({ chosen: 'a@b.org', rejected: 'c@d.org' });
    expect((await stored(newer?.id)).request).toMatchObject({ messages: [{ content: 'I am [EMAIL]' }] });
  });

  it('redacts feedback by the model of its interaction, and feedback that came before it', async () => {
    const [careful, plain] = await storeInteractions(db, KEY, [record('careful'), record('plain')]);
    const later = record('careful', { id: newId(), feedback: [] });
    const comment = { kind: 'comment', value: 'Write to jane@example.org' };
    const results = await storeFeedback(db, [
      { ...comment, interaction: careful?.id },
      { ...comment, interaction: plain?.id, model: 'careful' },
      { ...comment, model: 'careful', external_id: later.external_id },
      { ...comment, interaction: later.id },
    ]);
    expect(results.map(({ status }) => status)).toEqual(['stored', 'stored', 'stored', 'stored']);
    await storeInteractions(db, KEY, [later]);
    const comments = async (id: unknown) =>
      (await said(String(id))).filter(({ kind }) => kind === 'comment').map(({ body }) => body);
    expect(await comments(careful?.id)).toEqual([{ value: 'Write to [EMAIL]' }]);
    expect(await comments(plain?.id)).toEqual([{ value: 'Write to jane@example.org' }]);
    expect(await comments(later.id)).toEqual([{ value: 'Write to [EMAIL]' }, { value: 'Write to [EMAIL]' }]);
  });

  it('finds a resend of feedback, also one that was stored as it came or came before its interaction', async () => {
    const before = record('plain', { id: newId(), feedback: [] });
    const early = { id: newId(), interaction: before.id, kind: 'comment', value: 'From jane@example.org' };
    const [careful] = await storeInteractions(db, KEY, [record('careful')]);
    const late = { id: newId(), interaction: careful?.id, kind: 'edited', value: 'To jane@example.org' };
    const statuses = async (items: unknown[]) => (await storeFeedback(db, items)).map(({ status }) => status);
    expect(await statuses([early, late, early, late])).toEqual(['stored', 'stored', 'duplicate', 'duplicate']);
    await storeInteractions(db, KEY, [before]);
    expect(await statuses([late, { ...late, value: 'To joan' }])).toEqual(['duplicate', 'conflict']);
    await db.prisma.feedback.update({ where: { id: String(late.id) }, data: { retractedAt: null } });
    expect(await statuses([{ ...late, retracted: true }])).toEqual(['stored']);
  });
});

describe('an answer that is stored by itself', () => {
  it('is redacted as the captures of its model', async () => {
    const answer = { id: 'chatcmpl-1', choices: [{ message: { content: 'Call 555-123-4567' } }] };
    const redacted = { id: 'chatcmpl-1', choices: [{ message: { content: 'Call [PHONE]' } }] };
    expect(await redactAnswer(db, 'careful', answer)).toEqual(redacted);
    expect(await redactAnswer(db, 'plain', answer)).toEqual(answer);
  });
});
