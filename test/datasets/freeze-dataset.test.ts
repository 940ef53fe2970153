import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { collect } from '../../src/curation/index.js';
import { type FrozenDataset, freezeDataset, type Manifest, orphanDataset } from '../../src/datasets/index.js';
import {
  correction,
  openStage,
  type Stage,
  seedCycle,
  seedInteraction,
  seedModel,
  subjectHash,
  thumbsDown,
  thumbsUp,
} from '../support/stage-fixtures.js';

const asOf = new Date('2026-11-10T12:00:00.000Z');
const ago = (minutes: number) => new Date(asOf.getTime() - minutes * 60_000);

let stage: Stage;
let model: string;
let models = 0;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());
beforeEach(() => {
  models += 1;
  model = `freeze-${models}`;
});

async function freeze(cycleId?: string): Promise<FrozenDataset & { cycleId: string }> {
  const id = cycleId ?? (await seedCycle(stage.db, model, asOf));
  await collect(stage.db, { cycleId: id, asOf });
  return { ...(await freezeDataset(stage.db, stage.store, { cycleId: id, asOf })), cycleId: id };
}
async function lines(
  frozen: FrozenDataset,
  name: string,
): Promise<{ messages: { role: string; content: string }[] }[]> {
  const all = await text(await stage.store.open(`artifact:datasets/${frozen.digest}/${name}`));
  return all
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}
const manifestOf = async (frozen: FrozenDataset): Promise<Manifest> =>
  JSON.parse(await text(await stage.store.open(`artifact:datasets/${frozen.digest}/manifest.json`)));
const rowsOf = (frozen: FrozenDataset) =>
  stage.db.prisma.datasetRow.findMany({ where: { datasetId: frozen.datasetId }, orderBy: { interactionId: 'asc' } });

test('freezes rows, manifest, split and a line for every interaction that was considered', async () => {
  await seedModel(stage.db, model, { curation: { validation_share: 0 } });
  const wrong = await seedInteraction(stage.db, {
    model,
    askedAt: ago(3),
    question: 'Where is it? I am a@b.co',
    answer: 'No.',
    subject: 'ann',
    version: 2,
    feedback: [thumbsDown, correction('It is on its way to 10.0.0.1')],
  });
  const right = await seedInteraction(stage.db, {
    model,
    askedAt: ago(2),
    question: 'Why?',
    answer: 'Because.',
    subject: 'bob',
    feedback: [thumbsUp],
  });
  const bad = await seedInteraction(stage.db, { model, askedAt: ago(1), subject: 'bob', feedback: [thumbsDown] });
  const frozen = await freeze();

  expect(frozen).toMatchObject({
    considered: 3,
    kept: 2,
    train: 2,
    validation: 0,
    leftOut: { negative_feedback: 1 },
    tooFew: false,
  });
  expect(await lines(frozen, 'train.jsonl')).toEqual([
    {
      messages: [
        { role: 'user', content: 'Why?' },
        { role: 'assistant', content: 'Because.' },
      ],
    },
    {
      messages: [
        { role: 'user', content: 'Where is it? I am [EMAIL]' },
        { role: 'assistant', content: 'It is on its way to [IP]' },
      ],
    },
  ]);
  expect(await manifestOf(frozen)).toMatchObject({
    model,
    considered: 3,
    kept: 2,
    corrected: 1,
    answers_by_version: { 1: 1 },
    redactions: { EMAIL: 1, PHONE: 0, CARD: 0, SSN: 0, IP: 1 },
    first_asked_at: ago(3).toISOString(),
    last_asked_at: ago(2).toISOString(),
    golden_digest: null,
  });
  const rows = await rowsOf(frozen);
  expect(rows).toHaveLength(3);
  expect(rows.find(({ interactionId }) => interactionId === right)).toMatchObject({
    kept: true,
    split: 'train',
    step: 'kept',
    subject: subjectHash('bob'),
  });
  expect(rows.find(({ interactionId }) => interactionId === wrong)?.feedbackId).not.toBeNull();
  expect(rows.find(({ interactionId }) => interactionId === bad)).toMatchObject({
    kept: false,
    split: null,
    step: 'feedback',
    reason: 'negative_feedback',
  });
  const stored = await stage.db.prisma.dataset.findUniqueOrThrow({ where: { id: frozen.datasetId } });
  expect(stored).toMatchObject({
    state: 'frozen',
    digest: frozen.digest,
    uri: `artifact:datasets/${frozen.digest}`,
    considered: 3,
    kept: 2,
  });
  await stage.store.verify(stored.uri!);
});

test('keeps each subject on one side of the split, about as many as the policy says', async () => {
  await seedModel(stage.db, model, { curation: { validation_share: 0.3 } });
  for (let i = 0; i < 300; i++) {
    await seedInteraction(stage.db, {
      model,
      askedAt: ago(1 + i / 10),
      subject: i < 240 ? `s${i % 80}` : null,
      feedback: [thumbsUp],
    });
  }
  const frozen = await freeze();
  const sides = new Map<string, Set<string>>();
  for (const { subject, split } of await rowsOf(frozen)) {
    if (subject !== null) sides.set(subject, (sides.get(subject) ?? new Set()).add(split!));
  }
  expect(sides.size).toBe(80);
  expect([...sides.values()].every(({ size }) => size === 1)).toBe(true);
  expect(frozen.validation).toBeGreaterThan(45);
  expect(frozen.validation).toBeLessThan(135);
  expect(await lines(frozen, 'validation.jsonl')).toHaveLength(frozen.validation);
});

describe('run again', () => {
  beforeEach(async () => {
    await seedModel(stage.db, model);
    for (let i = 0; i < 30; i++) {
      await seedInteraction(stage.db, {
        model,
        askedAt: ago(i),
        subject: `s${i}`,
        feedback: i % 3 === 0 ? [] : [thumbsUp],
      });
    }
  });

  test('another cycle with the same inputs has the same digest and its own rows', async () => {
    const first = await freeze();
    const second = await freeze();
    expect(second.digest).toBe(first.digest);
    expect(second.datasetId).not.toBe(first.datasetId);
    expect(await rowsOf(second)).toHaveLength(30);
  });

  test('a retry finds what was frozen, even when the traffic went on', async () => {
    const first = await freeze();
    await seedInteraction(stage.db, { model, askedAt: ago(1), feedback: [thumbsUp] });
    expect(await freeze(first.cycleId)).toEqual(first);
    expect(await rowsOf(first)).toHaveLength(30);
  });

  test('two attempts at once freeze one dataset', async () => {
    const cycleId = await seedCycle(stage.db, model, asOf);
    const [first, second] = await Promise.all([freeze(cycleId), freeze(cycleId)]);
    expect(second).toEqual(first);
    expect(await rowsOf(first!)).toHaveLength(30);
  });

  test('an attempt that breaks off leaves no row, no file and no open connection', async () => {
    const cycleId = await seedCycle(stage.db, model, asOf);
    const { datasetId } = await collect(stage.db, { cycleId, asOf });
    const full = {
      ...stage.store,
      draft: async (kind: string) => {
        const draft = await stage.store.draft(kind);
        return {
          append: draft.append.bind(draft),
          discard: draft.discard.bind(draft),
          commit: () => Promise.reject(new Error('disk full')),
        };
      },
    };
    await expect(freezeDataset(stage.db, full, { cycleId, asOf })).rejects.toThrow('disk full');
    expect(await stage.db.prisma.datasetRow.count({ where: { datasetId } })).toBe(0);
    expect(await readdir(join(stage.root, '.drafts'))).toEqual([]);
    const connections = async () =>
      (
        await stage.db.pool.query(
          "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'understudy-datasets'",
        )
      ).rowCount;
    await expect.poll(connections).toBe(0);
    expect((await freeze(cycleId)).considered).toBe(30);
  });
});

describe('golden questions', () => {
  test('are kept out and counted', async () => {
    await seedModel(stage.db, model, {
      evaluation: { golden_set: `golden/${model}.jsonl` },
      curation: { validation_share: 0 },
    });
    await mkdir(join(stage.root, 'golden'), { recursive: true });
    const golden = Array.from({ length: 200 }, (_, i) => ({
      messages: [
        { role: 'system', content: 'Be nice.' },
        { role: 'user', content: `Golden question ${i}?` },
        { role: 'assistant', content: 'yes' },
      ],
    }));
    await writeFile(
      join(stage.root, 'golden', `${model}.jsonl`),
      golden.map((row) => `${JSON.stringify(row)}\n`).join(''),
    );
    await seedInteraction(stage.db, { model, askedAt: ago(1), question: 'golden  QUESTION 7?', feedback: [thumbsUp] });
    await seedInteraction(stage.db, { model, askedAt: ago(1), question: 'Another question?', feedback: [thumbsUp] });
    const frozen = await freeze();
    expect(frozen).toMatchObject({ considered: 2, kept: 1, leftOut: { golden: 1 } });
    expect((await manifestOf(frozen)).golden_digest).toMatch(/^[0-9a-f]{64}$/);
  });

  test('are kept out also where personal data was taken out of the question before it was stored', async () => {
    await seedModel(stage.db, model, {
      evaluation: { golden_set: `golden/${model}.jsonl` },
      curation: { validation_share: 0 },
      capture: { redact_at: 'capture' },
    });
    await mkdir(join(stage.root, 'golden'), { recursive: true });
    const golden = Array.from({ length: 200 }, (_, i) => ({
      messages: [
        { role: 'user', content: `Who is jane-${i}@example.org?` },
        { role: 'assistant', content: 'yes' },
      ],
    }));
    const text = golden.map((row) => `${JSON.stringify(row)}\n`).join('');
    await writeFile(join(stage.root, 'golden', `${model}.jsonl`), text);
    for (const question of ['Who is [EMAIL]?', 'Who is jane-7@example.org?', 'Who is that?']) {
      await seedInteraction(stage.db, { model, askedAt: ago(1), question, feedback: [thumbsUp] });
    }
    expect(await freeze()).toMatchObject({ considered: 3, kept: 1, leftOut: { golden: 2 } });
  });

  test('that cannot be read end the curation before anything is trained', async () => {
    await seedModel(stage.db, model, { evaluation: { golden_set: 'golden/nowhere.jsonl' } });
    await expect(freeze()).rejects.toMatchObject({ code: 'golden_set_unreadable' });
  });
});

describe('too few', () => {
  test('rows kept leave an orphan with its numbers', async () => {
    await seedModel(stage.db, model, { triggers: { min_new_examples: 3 } });
    for (const answer of ['same', 'same', 'other', 'third']) {
      await seedInteraction(stage.db, { model, askedAt: ago(1), question: 'What?', answer, feedback: [thumbsUp] });
    }
    const enough = await freeze();
    expect(enough).toMatchObject({ kept: 3, leftOut: { duplicate: 1 }, tooFew: false });
    await stage.db.pool.query(
      `UPDATE models SET policy = jsonb_set(policy, '{triggers,min_new_examples}', '4') WHERE name = $1`,
      [model],
    );
    const frozen = await freeze();
    expect(frozen).toMatchObject({ kept: 3, tooFew: true });
    expect((await stage.db.prisma.dataset.findUniqueOrThrow({ where: { id: frozen.datasetId } })).state).toBe(
      'orphaned',
    );
  });

  test('nothing at all is a dataset of a manifest alone', async () => {
    await seedModel(stage.db, model);
    const frozen = await freeze();
    expect(frozen).toMatchObject({ considered: 0, kept: 0, train: 0, leftOut: {}, tooFew: true });
    expect((await manifestOf(frozen)).last_asked_at).toBeNull();
  });
});

test('an orphan is one that no version was trained on', async () => {
  await seedModel(stage.db, model, { curation: { validation_share: 0 } });
  await seedInteraction(stage.db, { model, askedAt: ago(1), feedback: [thumbsUp] });
  const used = await freeze();
  await stage.db.pool.query(
    `INSERT INTO versions (model, version, label, kind, state, served_as, base_model, dataset_id, sandbox) VALUES ($1, 2, '1.0.1', 'remote', 'candidate', 'x', 'b', $2, true)`,
    [model, used.datasetId],
  );
  const unused = await freeze();
  const state = async ({ datasetId }: FrozenDataset) =>
    (await stage.db.prisma.dataset.findUniqueOrThrow({ where: { id: datasetId } })).state;
  for (const { datasetId } of [used, unused, { datasetId: '00000000-0000-4000-8000-000000000000' }, unused]) {
    await orphanDataset(stage.db, { datasetId });
  }
  expect([await state(used), await state(unused)]).toEqual(['frozen', 'orphaned']);
});

test('interactions in are rows kept and rows left out, by reason, whatever came in', { timeout: 120_000 }, async () => {
  const word = fc.constantFrom('a', 'b', 'b ', 'B', 'a@b.co', 'blocked', '');
  const feedback = fc.array(fc.oneof(fc.constant(thumbsUp), fc.constant(thumbsDown), word.map(correction)), {
    maxLength: 3,
  });
  const given = fc.record({
    question: word,
    answer: fc.option(word),
    subject: fc.option(fc.constantFrom('ann', 'bob')),
    status: fc.constantFrom('complete' as const, 'failed' as const),
    feedback,
  });
  await fc.assert(
    fc.asyncProperty(fc.array(given, { maxLength: 12 }), async (all) => {
      models += 1;
      model = `freeze-${models}`;
      await seedModel(stage.db, model, {
        curation: { blocked_patterns: ['blocked'], max_rows_per_subject: 2, max_rows: 4, validation_share: 0.5 },
      });
      for (const [i, one] of all.entries()) await seedInteraction(stage.db, { ...one, model, askedAt: ago(i) });
      const frozen = await freeze();
      const rows = await rowsOf(frozen);
      const sum = Object.values(frozen.leftOut).reduce((total, n) => total + n, 0);
      expect(frozen.considered).toBe(all.filter(({ status }) => status === 'complete').length);
      expect(frozen.considered).toBe(frozen.kept + sum);
      expect(frozen.kept).toBe(frozen.train + frozen.validation);
      expect(rows).toHaveLength(frozen.considered);
      for (const [reason, n] of Object.entries(frozen.leftOut))
        expect(rows.filter((row) => row.reason === reason)).toHaveLength(n);
      for (const split of ['train', 'validation'] as const) {
        const inFile = frozen[split] === 0 ? [] : await lines(frozen, `${split}.jsonl`);
        expect(inFile).toHaveLength(rows.filter((row) => row.split === split).length);
      }
    }),
    { numRuns: 30 },
  );
});
