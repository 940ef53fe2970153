import { describe, expect, it } from 'vitest';
import { planFromTraffic } from '../../src/experiments/index.js';
import { parsePolicy } from '../../src/policy/index.js';
import { seededRandom } from '../../src/stats/index.js';
import { useTestDatabase } from '../support/database.js';
import {
  insertFeedback,
  insertInteractions,
  quickPolicy,
  seedModel,
  subjectOf,
  uuid7,
} from '../support/experiment-data.js';

const database = await useTestDatabase();
const { db } = database;

const NOW = new Date('2026-11-20T12:00:00Z');
const HOUR = 3_600_000;

/** `people` who ask `each` questions spread over the `hours` before the feedback window; every second one is rated. */
async function traffic(model: string, people: number, each: number, hours: number) {
  const rows = Array.from({ length: people * each }, (_, i) => {
    const askedAt = new Date(NOW.getTime() - 6 * HOUR - Math.floor(((i + 0.5) / (people * each)) * hours * HOUR));
    return { id: uuid7(askedAt), model, subject: subjectOf(`${model}/${i % people}`), askedAt };
  });
  // What nobody in particular asked, and what is too young to be rated, is in no experiment.
  const others = [1, 2, 3].map((i) => ({ model, subject: null, askedAt: new Date(NOW.getTime() - (8 + i) * HOUR) }));
  const young = [{ model, subject: subjectOf('late'), askedAt: new Date(NOW.getTime() - HOUR) }];
  await insertInteractions(db, [...rows, ...others, ...young]);
  const random = seededRandom(1);
  const rated = rows.filter((_, i) => (i + Math.floor(i / people)) % 2 === 0);
  await insertFeedback(
    db,
    rated.map(({ id, askedAt }) => ({
      ...{ interactionId: id, kind: 'thumbs', body: { value: random() < 0.2 ? -1 : 1 } },
      receivedAt: new Date(askedAt.getTime() + 1_000),
    })),
  );
  return rated.length;
}

const days = (model: string, changes: Record<string, unknown> = {}) =>
  parsePolicy({
    ...quickPolicy(model),
    experiment: { min_samples_per_arm: 20, min_subjects_per_arm: 10, share: 0.5, ...changes },
  });

describe('planFromTraffic', () => {
  it('reads from the traffic what the last look would have seen, and says what can be found with it', async () => {
    const model = await seedModel(db);
    const rated = await traffic(model, 200, 4, 114);
    const report = await planFromTraffic(db, days(model), NOW);
    expect(report.traffic).toMatchObject({ interactions: 800, outcomes: rated, subjects: 200, ratingRate: 0.5 });
    expect(report.traffic.days).toBeCloseTo(114 / 24, 6);
    const positive = report.traffic.positive as number;
    expect(positive).toBeGreaterThan(0.7);
    expect(report.traffic.design as number).toBeGreaterThanOrEqual(1);
    const { plan } = report;
    const D = report.traffic.design as number;
    const pooled = positive + 0.5 * 0.05;
    // All outcomes of the 114 hours, half of them in each arm.
    expect(plan!.informationAtEnd).toBeCloseTo((rated * 0.25) / (pooled * (1 - pooled) * D), 6);
    expect(plan!.finishes).toBe(plan!.informationAtEnd >= plan!.maxInformation);
    const atTarget = report.effects.filter(({ effect }) => effect === 0.05);
    expect(atTarget.map(({ power }) => power)).toEqual([0.8, 0.9]);
    expect(atTarget[0]!.days).toBeCloseTo(plan!.daysToMaxInformation, 9);
    expect(atTarget[1]!.days).toBeGreaterThan(atTarget[0]!.days);
    expect(report.effects.at(-1)!.interactions).toBeLessThan(atTarget[0]!.interactions);
  });

  it('warns of an experiment that cannot finish, with the share that would do', async () => {
    const model = await seedModel(db);
    await traffic(model, 1_000, 6, 114);
    const even = await planFromTraffic(db, days(model), NOW);
    expect(even.warning).toBeNull();
    const few = await planFromTraffic(db, days(model, { share: 0.02 }), NOW);
    expect(few.plan!.finishes).toBe(false);
    expect(few.warning).toMatch(
      /^The experiment cannot finish in 5\.0 days: at this traffic it takes \d+ days; share 0\.\d\d would do\./,
    );
    expect(few.warning!.length).toBeLessThanOrEqual(200);
    const share = Number(/share (0\.\d\d)/.exec(few.warning!)![1]);
    expect((await planFromTraffic(db, days(model, { share }), NOW)).warning).toBeNull();
  });

  it('counts a young model by the time it has been there', async () => {
    const model = await seedModel(db);
    await traffic(model, 200, 4, 24);
    const { traffic: seen, plan } = await planFromTraffic(db, days(model), NOW);
    expect(seen.days).toBeCloseTo(1, 2);
    // At that pace there is 114/24 as much by the last look.
    const pooled = (seen.positive as number) + 0.025;
    const expected = (400 * (114 / 24) * 0.25) / (pooled * (1 - pooled) * (seen.design as number));
    expect((plan!.informationAtEnd / expected).toFixed(2)).toBe('1.00');
  });

  it('without ratings says so', async () => {
    const model = await seedModel(db);
    const report = await planFromTraffic(db, days(model), NOW);
    expect(report).toMatchObject({ plan: null, effects: [] });
    expect(report.warning).toBe('The experiment cannot finish: in the last 114h there were 0 ratings of 0 subjects.');
  });
});
