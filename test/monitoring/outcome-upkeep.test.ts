import { Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import {
  foldLiveExperiments,
  readLiveExperiments,
  reconcileOutcomes,
  startExperiment,
  takeLook,
} from '../../src/experiments/index.js';
import { type OutcomeUpkeep, startOutcomeUpkeep } from '../../src/monitoring/index.js';
import { useTestDatabase } from '../support/database.js';
import { fillArm, seedCycle, seedModel } from '../support/experiment-data.js';

const database = await useTestDatabase();
const { db } = database;

const at = (seconds: number) => new Date(Date.parse('2026-11-20T12:00:00Z') + seconds * 1_000);
const errors: object[] = [];
const logger = { info() {}, warn() {}, error: (facts: object) => void errors.push(facts) };
const running: OutcomeUpkeep[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((upkeep) => upkeep.stop()));
  await db.prisma.experiment.updateMany({ where: { endedAt: null }, data: { endedAt: at(0), decision: 'undone' } });
  await db.prisma.cycle.updateMany({ where: { endedAt: null }, data: { endedAt: at(0), outcome: 'failed' } });
  errors.length = 0;
});

/** An A/B test with 250 rated answers in each arm, folded. */
async function experiment(): Promise<string> {
  const model = await seedModel(db);
  const cycleId = await seedCycle(db, model);
  const test = await startExperiment(db, { cycleId, candidate: 2, expectedEpoch: 1, asOf: at(0) });
  if (test.routeChanged) throw new Error('the route was changed');
  const { experimentId } = test;
  for (const [arm, version] of [
    ['champion', 1],
    ['challenger', 2],
  ] as const) {
    await fillArm(db, { model, experimentId, arm, version, subjects: 50, positives: 200, from: at(1) });
  }
  await foldLiveExperiments(db, await readLiveExperiments(db), at(30));
  return experimentId;
}

function upkeep(reconcileEveryMs = 0): { upkeep: OutcomeUpkeep; wrong: () => Promise<number> } {
  const registry = new Registry();
  const started = startOutcomeUpkeep(db, { logger, registry, everyMs: 3_600_000, reconcileEveryMs });
  running.push(started);
  return {
    upkeep: started,
    async wrong() {
      const metric = await registry.getSingleMetric('understudy_outcome_sums_wrong_total')!.get();
      return metric.values[0]!.value;
    },
  };
}

const kept = async (experimentId: string) => {
  const { rows } = await db.pool.query<{ n: number }>(
    `SELECT (SELECT count(*) FROM outcome_cuts WHERE experiment_id = $1)::int
          + (SELECT count(*) FROM outcome_sums WHERE experiment_id = $1)::int
          + (SELECT count(*) FROM outcome_subjects WHERE experiment_id = $1)::int AS n`,
    [experimentId],
  );
  return rows[0]!.n;
};

describe('the upkeep of sums', () => {
  it('finds sums that were changed by hand, says so, counts it, and makes them anew', async () => {
    const experimentId = await experiment();
    expect(await reconcileOutcomes(db, experimentId, at(30))).toMatchObject([
      { feedbackWindowMs: 0, agrees: true },
      { feedbackWindowMs: 10_000, agrees: true },
    ]);
    await db.pool.query(`UPDATE outcome_sums SET x = x - 1 WHERE experiment_id = $1 AND arm = 'second'`, [
      experimentId,
    ]);
    const { upkeep: one, wrong } = upkeep();
    await one.pass();
    expect(errors).toMatchObject([
      {
        experiment: experimentId,
        cuts: [
          { feedback_window_ms: 0, sums: { second: { x: 199 } }, rows: { second: { x: 200 } } },
          { feedback_window_ms: 10_000, sums: { second: { x: 199 } }, rows: { second: { x: 200 } } },
        ],
      },
    ]);
    expect(await wrong()).toBe(1);
    expect(await reconcileOutcomes(db, experimentId, at(30))).toMatchObject([{ agrees: true }, { agrees: true }]);
    await foldLiveExperiments(db, await readLiveExperiments(db), at(30));
    expect(await reconcileOutcomes(db, experimentId, at(30))).toMatchObject([{ agrees: true }, { agrees: true }]);
  });

  it('takes sums that no real arm can have for wrong', async () => {
    const experimentId = await experiment();
    await db.pool.query(`UPDATE outcome_sums SET n = -1 WHERE experiment_id = $1`, [experimentId]);
    expect(await reconcileOutcomes(db, experimentId, at(30))).toMatchObject([{ sums: null, agrees: false }, {}]);
    expect(await reconcileOutcomes(db, experimentId, at(30))).toMatchObject([{ agrees: true }, { agrees: true }]);
  });

  it('compares each experiment once in its time, whichever server does it', async () => {
    const ids = [await experiment()];
    const [one, two] = [upkeep(3_600_000).upkeep, upkeep(3_600_000).upkeep];
    const first = await Promise.all([one.pass(), two.pass()]);
    expect(first.flatMap(({ reconciled }) => reconciled)).toEqual([]);
    await db.pool.query(`UPDATE outcome_cuts SET reconciled_at = now() - interval '2 hours'`);
    const both = await Promise.all([one.pass(), two.pass()]);
    expect(both.flatMap(({ reconciled }) => reconciled)).toEqual(ids);
    expect(errors).toEqual([]);
  });

  it('drops what is kept of experiments that have ended, and leaves their looks', async () => {
    const [over, live] = [await experiment(), await experiment()];
    await takeLook(db, { experimentId: over, k: 1, asOf: at(60), isLast: false });
    await db.prisma.experiment.update({ where: { id: over }, data: { endedAt: at(61), decision: 'undone' } });
    const { upkeep: one } = upkeep(3_600_000);
    await one.pass();
    expect(await kept(over)).toBe(0);
    expect(await kept(live)).toBeGreaterThan(100);
    expect(await db.prisma.look.count({ where: { experimentId: over } })).toBe(1);
  });
});
