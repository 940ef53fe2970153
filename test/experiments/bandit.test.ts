import { expect, it } from 'vitest';
import {
  extendExperiment,
  promote,
  readExperiment,
  startExperiment,
  takeLook,
  verifyExperiments,
} from '../../src/experiments/index.js';
import { readRoute, verifyChain } from '../../src/routing/index.js';
import { useTestDatabase } from '../support/database.js';
import { at, fillArm, quickPolicy, routeChanges, seedCycle, seedModel, subjectOf } from '../support/experiment-data.js';

const database = await useTestDatabase();
const { db } = database;

/** A bandit with looks after 60, 120 and 180 s. */
async function started() {
  const { experiment } = quickPolicy('m');
  const model = await seedModel(db, { policy: { experiment: { ...experiment, mode: 'bandit', share: 0.1 } } });
  const cycleId = await seedCycle(db, model, at(-10));
  const facts = await startExperiment(db, { cycleId, candidate: 2, expectedEpoch: 1, asOf: at(0) });
  if (facts.routeChanged) throw new Error('the route was changed');
  const { experimentId, epoch } = facts;
  const rate = (first: number, people: number, champion: number, challenger: number) =>
    Promise.all(
      (['champion', 'challenger'] as const).map((arm, i) =>
        fillArm(db, {
          ...{ model, experimentId, arm, version: i + 1, subjects: people, from: at(first) },
          positives: Math.round((arm === 'champion' ? champion : challenger) * people * 5),
        }),
      ),
    );
  const look = (k: number) => takeLook(db, { experimentId, k, asOf: at(60 * k), isLast: k === 3 });
  return { model, experimentId, epoch, rate, look };
}

it('moves its share with what it learned, adopts the better one, and can be recomputed', async () => {
  const { model, experimentId, epoch, rate, look } = await started();
  await rate(1, 12, 0.5, 0.52);
  const first = await look(1);
  const { share } = await readRoute(db, model);
  expect(first).toMatchObject({ decision: 'wait', tested: false, z: null, boundary: null, epoch: epoch + 1 });
  expect(share).toBeGreaterThan(0.3);
  expect(first.summary).toContain('Bandit, no test: Share 10.0% to');
  // Asked again, by an attempt whose answer was lost.
  expect(await look(1)).toEqual(first);
  expect((await readRoute(db, model)).epoch).toBe(epoch + 1);

  await db.pool.query(
    `UPDATE feedback SET body = '{"value": 1}' FROM interactions i
      WHERE i.id = interaction_id AND i.experiment_id = $1 AND i.arm = 'challenger'`,
    [experimentId],
  );
  const second = await look(2);
  expect(second).toMatchObject({ decision: 'promote', reason: 'bandit', epoch: epoch + 1 });
  const promotion = { experimentId, expectedEpoch: second.epoch!, actor: 'cycle', reason: 'adopted', forced: false };
  expect(await promote(db, { ...promotion, asOf: at(121) })).toMatchObject({ epoch: epoch + 2 });

  expect(await readExperiment(db, experimentId)).toMatchObject({ decision: 'promote', reason: 'bandit' });
  const [, start, moved, promoted] = await routeChanges(db, model);
  expect(start!.evidence).toMatchObject({ mode: 'bandit', adopt_at: 0.95, drop_at: 0.05, boundary: null });
  expect(moved).toMatchObject({ action: 'reallocate', evidence: { look: 1, share: { before: 0.1, after: share } } });
  expect(promoted).toMatchObject({ forced: false, evidence: { mode: 'bandit', look: 2, z: null } });
  expect(await verifyExperiments(db, model)).toMatchObject([
    { looks: 2, misfits: [] },
    { kind: 'bake', misfits: [] },
  ]);
  expect(await verifyChain(db, model)).toEqual({ checked: 4, broken: [] });
});

it('can be extended before its last look, and still be recomputed', async () => {
  const { model, experimentId, rate, look } = await started();
  await rate(1, 12, 0.5, 0.5);
  await look(1);
  const more = { experimentId, byMs: 60_000, actor: 'ada', reason: 'more time', requestId: 'x' };
  expect(await extendExperiment(db, { ...more, asOf: at(70) })).toMatchObject({ maxEndsAt: at(240).toISOString() });
  await takeLook(db, { experimentId, k: 3, asOf: at(180), isLast: false });
  await takeLook(db, { experimentId, k: 4, asOf: at(240), isLast: true });
  expect(await verifyExperiments(db, model)).toMatchObject([{ looks: 3, misfits: [] }]);
});

it('counts every interaction for the arm that answered it, also of people who were in both', async () => {
  const { model, experimentId, rate, look } = await started();
  await rate(1, 10, 0.5, 0.5);
  await db.pool.query('UPDATE interactions SET subject = $2 WHERE experiment_id = $1', [
    experimentId,
    subjectOf('somebody'),
  ]);
  const { champion, challenger } = await look(1);
  expect([champion.n, challenger.n]).toEqual([50, 50]);
  expect((await verifyExperiments(db, model))[0]!.misfits).toEqual([]);
});

it.each([
  ["evidence = jsonb_set(evidence, '{figures,better}', '0.99')", 'evidence.figures.better'],
  ["evidence = jsonb_set(evidence, '{input,share}', '0.4')", 'evidence.input.share'],
  [`champion = champion || '{"x": 1}'`, 'cut_digest'],
  ["decision = 'promote'", 'decision'],
  ['z = 3', 'z'],
])('a look of a bandit with %s is found', async (change, field) => {
  const { model, experimentId, rate, look } = await started();
  await rate(1, 12, 0.5, 0.52);
  await look(1);
  await db.pool.query(`UPDATE looks SET ${change} WHERE experiment_id = $1`, [experimentId]);
  const [{ misfits }] = (await verifyExperiments(db, model)) as [Awaited<ReturnType<typeof verifyExperiments>>[0]];
  expect(misfits.map((misfit) => misfit.field)).toContain(field);
});
