import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { collect } from '../../src/curation/index.js';
import {
  correction,
  openStage,
  type Stage,
  seedCycle,
  seedFeedback,
  seedInteraction,
  seedModel,
  thumbsDown,
  thumbsUp,
} from '../support/stage-fixtures.js';

const asOf = new Date('2026-11-10T12:00:00.000Z');
const ago = (hours: number) => new Date(asOf.getTime() - hours * 3_600_000);

let stage: Stage;
let model: string;
let models = 0;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());
beforeEach(async () => {
  models += 1;
  model = `collect-${models}`;
  await seedModel(stage.db, model, { triggers: { min_new_examples: 2 }, curation: { lookback: '48h' } });
});

const collectNow = async (at = asOf) =>
  collect(stage.db, { cycleId: await seedCycle(stage.db, model, asOf), asOf: at });
const seed = (hours: number, feedback: Record<string, unknown>[] = [thumbsUp], more = {}) =>
  seedInteraction(stage.db, { model, askedAt: ago(hours), feedback, ...more });

describe('considers', () => {
  test('complete interactions of the model within the look-back, and counts who was called right or corrected', async () => {
    await seed(1);
    await seed(2, [thumbsDown]);
    await seed(3, [thumbsDown, correction('right')]);
    await seed(4, []);
    await seed(5, [thumbsUp], { status: 'failed' });
    await seed(6, [thumbsUp], { status: 'incomplete' });
    await seed(48.01);
    await seed(-0.01);
    await seedModel(stage.db, 'somebody-else');
    await seedInteraction(stage.db, { model: 'somebody-else', askedAt: ago(1), feedback: [thumbsUp] });
    expect(await collectNow()).toMatchObject({ considered: 4, eligible: 2, needed: 2, tooFew: false });
  });

  test('what was asked exactly at its clock, but not at the start of the look-back', async () => {
    await seed(0, []);
    await seed(48, []);
    expect((await collectNow()).considered).toBe(1);
  });

  test('feedback received up to its clock, on the first choice, that was not retracted', async () => {
    const late = await seed(1, []);
    await seedFeedback(stage.db, late, thumbsUp, new Date(asOf.getTime() + 1));
    const second = await seed(1, []);
    await seedFeedback(stage.db, second, { ...thumbsUp, choice_index: 1 }, ago(0.5));
    const retracted = await seed(1, []);
    const id = await seedFeedback(stage.db, retracted, thumbsUp, ago(0.5));
    await stage.db.pool.query('UPDATE feedback SET retracted_at = $2 WHERE id = $1', [id, ago(0.2)]);
    expect(await collectNow()).toMatchObject({ considered: 3, eligible: 0 });
  });

  test('more rows than fit into a page, also those of one instant and those within one millisecond', async () => {
    await stage.db.pool.query(
      `INSERT INTO interactions (id, model, asked_at, status, request, response, digest)
       SELECT gen_random_uuid(), $1, $2::timestamptz + (n / 3) * interval '1 microsecond', 'complete', '{}', '{}', '\\x00'
         FROM generate_series(1, 1700) n`,
      [model, ago(1)],
    );
    expect((await collectNow()).considered).toBe(1_700);
  });
});

test('too few examples leave an orphan and the numbers', async () => {
  await seed(1);
  const { datasetId, ...numbers } = await collectNow();
  expect(numbers).toEqual({ considered: 1, eligible: 1, needed: 2, tooFew: true });
  const dataset = await stage.db.prisma.dataset.findUniqueOrThrow({ where: { id: datasetId } });
  expect(dataset).toMatchObject({ model, state: 'orphaned', digest: null });
});

test('a retry finds the same dataset, with what has come since', async () => {
  const cycleId = await seedCycle(stage.db, model, asOf);
  await seed(1);
  const first = await collect(stage.db, { cycleId, asOf });
  await seed(1);
  const second = await collect(stage.db, { cycleId, asOf });
  expect(second.datasetId).toBe(first.datasetId);
  const dataset = await stage.db.prisma.dataset.findUniqueOrThrow({ where: { cycleId } });
  expect(dataset.state).toBe('collecting');
});

describe('what a registered version has learned', () => {
  /** Pretends that a version was trained on a dataset that kept this row with this feedback. */
  async function learned(interactionId: string, feedbackId: string | null, { kept = true, registered = true } = {}) {
    const cycleId = await seedCycle(stage.db, model, asOf);
    const { datasetId } = await collect(stage.db, { cycleId, asOf });
    await stage.db.pool.query(
      `INSERT INTO dataset_rows (dataset_id, interaction_id, feedback_id, kept, step, reason, split) VALUES ($1, $2, $3, $4, 's', $5, $6)`,
      [datasetId, interactionId, feedbackId, kept, kept ? null : 'no_feedback', kept ? 'train' : null],
    );
    if (!registered) return;
    await stage.db.pool.query(
      `INSERT INTO versions (model, version, label, kind, state, served_as, base_model, dataset_id, sandbox)
       SELECT $1, max(version) + 1, '1.0.0', 'remote', 'rejected', 'x', 'b', $2, true FROM versions WHERE model = $1`,
      [model, datasetId],
    );
  }

  test('is not considered again, whatever became of the version', async () => {
    const id = await seed(2, []);
    await learned(id, await seedFeedback(stage.db, id, thumbsUp, ago(1)));
    expect((await collectNow()).considered).toBe(0);
  });

  test('without any feedback is not considered again either', async () => {
    await learned(await seed(2, []), null);
    expect((await collectNow()).considered).toBe(0);
  });

  test('is considered again when new feedback came', async () => {
    const id = await seed(2, []);
    await learned(id, await seedFeedback(stage.db, id, thumbsUp, ago(1)));
    await seedFeedback(stage.db, id, correction('better'), ago(0.5));
    expect(await collectNow()).toMatchObject({ considered: 1, eligible: 1 });
  });

  test('is only what was kept, and only in datasets that became a version', async () => {
    await learned(await seed(2, []), null, { kept: false });
    await learned(await seed(2, []), null, { registered: false });
    expect((await collectNow()).considered).toBe(2);
  });
});
