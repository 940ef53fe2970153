import { describe, expect, it } from 'vitest';
import { startExperiment, takeLook, verifyExperiments } from '../../src/experiments/index.js';
import { drawSample, gradeItems, readItems, reviewStatus } from '../../src/reviews/index.js';
import { useTestDatabase } from '../support/database.js';
import { at, fillArm, quickPolicy, seedCycle, seedModel } from '../support/experiment-data.js';

const database = await useTestDatabase();
const { db } = database;

/** An experiment that goes by the review: nine times as many champions, nobody rated by thumbs that counts. */
async function started() {
  const experiment = {
    ...quickPolicy('m').experiment,
    ...{ primary: 'review', metrics: [{ kind: 'review' as const }], share: 0.1, min_effect: 0.02, target_effect: 0.2 },
    ...{ min_samples_per_arm: 40, min_subjects_per_arm: 10, guardrails: [] },
  };
  const model = await seedModel(db, { policy: { experiment } });
  const cycleId = await seedCycle(db, model, at(-10));
  const facts = await startExperiment(db, { cycleId, candidate: 2, expectedEpoch: 1, asOf: at(0) });
  const { experimentId } = facts as { experimentId: string };
  const common = { model, experimentId, positives: 0, from: at(1), each: 3 };
  await fillArm(db, { ...common, arm: 'champion', version: 1, subjects: 270 });
  await fillArm(db, { ...common, arm: 'challenger', version: 2, subjects: 30 });
  return { model, experimentId };
}

async function armsOf(experimentId: string): Promise<Map<string, 'champion' | 'challenger'>> {
  const { rows } = await db.pool.query<{ item: string; arm: 'champion' | 'challenger' }>(
    'SELECT r.item, i.arm FROM review_items r JOIN interactions i ON i.id = r.interaction_id WHERE r.experiment_id = $1',
    [experimentId],
  );
  return new Map(rows.map(({ item, arm }) => [item, arm]));
}

const all = { source: 'reviewer', limit: 1_000 };

describe('the blind review sample', () => {
  it('is as many of each arm, drawn by the seed alone, and of what came since the draw before', async () => {
    const { model, experimentId } = await started();
    expect(await drawSample(db, { model, perArm: 20, asOf: at(2) })).toEqual({ experimentId, draw: 1, perArm: 20 });
    const first = await armsOf(experimentId);
    const count = (arms: Map<string, string>, arm: string) => [...arms.values()].filter((one) => one === arm).length;
    expect([count(first, 'champion'), count(first, 'challenger')]).toEqual([20, 20]);
    // Of those of the first two seconds nobody is drawn again; the challenger has 30 left.
    expect(await drawSample(db, { model, perArm: 50, asOf: at(10) })).toMatchObject({ draw: 2, perArm: 30 });
    const both = await armsOf(experimentId);
    expect([count(both, 'champion'), count(both, 'challenger')]).toEqual([50, 50]);
    expect(await drawSample(db, { model, perArm: 50, asOf: at(10) })).toMatchObject({ draw: 3, perArm: 0 });

    const ids = async () =>
      (
        await db.pool.query<{ interaction_id: string }>(
          'SELECT interaction_id FROM review_items WHERE experiment_id = $1 ORDER BY 1',
          [experimentId],
        )
      ).rows.map(({ interaction_id }) => interaction_id);
    const draw = async (seed: string) => {
      await db.pool.query('DELETE FROM review_items WHERE experiment_id = $1', [experimentId]);
      await drawSample(db, { model, perArm: 10, seed, asOf: at(10) });
      return ids();
    };
    const [a, again, b] = [await draw('a'), await draw('a'), await draw('b')];
    expect(again).toEqual(a);
    expect(b).not.toEqual(a);
  });

  it('shows a grader texts and a token, in an order by chance', async () => {
    const { model, experimentId } = await started();
    await drawSample(db, { model, perArm: 40, asOf: at(10) });
    const items = await readItems(db, { model, ...all });
    expect(items).toHaveLength(80);
    for (const item of items) expect(Object.keys(item).sort()).toEqual(['answers', 'item', 'messages']);
    expect(items[0]).toMatchObject({ answers: ['an answer'] });
    const arms = await armsOf(experimentId);
    const order = items.map(({ item }) => arms.get(item));
    // Neither one arm first, nor in turns: about half of the neighbours differ.
    const changes = order.slice(1).filter((arm, i) => arm !== order[i]).length;
    expect(changes).toBeGreaterThan(15);
    expect(changes).toBeLessThan(64);
  });

  it('takes grades once, the latest one of a source, and none of what was not drawn', async () => {
    const { model, experimentId } = await started();
    await drawSample(db, { model, perArm: 5, asOf: at(10) });
    const [one, two] = (await readItems(db, { model, ...all })) as unknown as [{ item: string }, { item: string }];
    const source = 'reviewer';
    const stranger = '00000000-0000-4000-8000-000000000000';
    const grades = [
      { item: one.item, grade: 1 },
      { item: two.item.toUpperCase(), grade: 0 },
      { item: stranger, grade: 1 },
    ];
    const statuses = async () => (await gradeItems(db, { model, source, grades })).map(({ status }) => status);
    expect(await statuses()).toEqual(['stored', 'stored', 'unknown']);
    expect(await statuses()).toEqual(['duplicate', 'duplicate', 'unknown']);
    expect(await readItems(db, { model, ...all })).toHaveLength(8);
    expect(await readItems(db, { model, ...all, source: 'judge' })).toHaveLength(10);
    expect(await gradeItems(db, { model, source, grades: [{ item: one.item, grade: 0 }] })).toMatchObject([
      { status: 'stored' },
    ]);
    expect(await reviewStatus(db, model)).toMatchObject({
      ...{ experimentId, draws: 1, items: 10 },
      sources: [{ source: 'reviewer', graded: 2, mean: 0, calibration: null }],
    });
    const other = await started();
    expect(await gradeItems(db, { model: other.model, source, grades: grades.slice(0, 1) })).toMatchObject([
      { status: 'unknown' },
    ]);
    await expect(gradeItems(db, { model: 'nobody', source, grades })).rejects.toMatchObject({ code: 'unknown_model' });
    await expect(readItems(db, { model: await seedModel(db), ...all })).rejects.toMatchObject({ code: 'not_found' });
  });

  it('decides as a primary metric: who was not drawn is not missing, who was drawn and not graded is', async () => {
    const { model, experimentId } = await started();
    await drawSample(db, { model, perArm: 80, asOf: at(10) });
    const arms = await armsOf(experimentId);
    // Half of the champion's answers are good, nine in ten of the challenger's.
    const given = { champion: 0, challenger: 0 };
    const grades = [...arms].map(([item, arm]) => {
      given[arm] += 1;
      const n = given[arm];
      return { item, grade: arm === 'champion' ? n % 2 : n % 10 === 0 ? 0.4 : 0.9 };
    });
    // Nobody minds what judges say, unless the policy names them, nor scores of what was not drawn.
    await gradeItems(db, { model, source: 'judge', grades: grades.map(({ item }) => ({ item, grade: 0 })) });
    await gradeItems(db, { model, source: 'reviewer', grades });
    // Feedback of now: a look that sees it.
    await db.pool.query(`UPDATE feedback SET received_at = $1 WHERE kind = 'score'`, [at(30)]);
    const facts = await takeLook(db, { experimentId, k: 1, asOf: at(60), isLast: false });
    expect(facts).toMatchObject({ decision: 'promote', champion: { n: 80, x: 40 }, challenger: { n: 80, x: 72 } });
    expect(facts.summary).toContain('review: challenger 90.0% of 80, champion 50.0% of 80: +40.0 pp');
    const look = await db.prisma.look.findFirstOrThrow({ where: { experimentId } });
    expect(look.champion).toMatchObject({ O: 270, E: 80, n: 80 });
    expect((await verifyExperiments(db, model)).flatMap(({ misfits }) => misfits)).toEqual([]);

    const { sources } = await reviewStatus(db, model);
    expect(sources).toMatchObject([
      {
        source: 'judge',
        graded: 160,
        mean: 0,
        calibration: { both: 160, agreement: expect.closeTo(0.3, 9), kappa: expect.closeTo(0, 9) },
      },
      { source: 'reviewer', graded: 160, calibration: null },
    ]);
  });
});
