import { expect, it } from 'vitest';
import {
  judgeExperiment,
  readExperiment,
  startExperiment,
  takeLook,
  verifyExperiments,
} from '../../src/experiments/index.js';
import { useTestDatabase } from '../support/database.js';
import {
  at,
  fillArm,
  insertInteractions,
  quickPolicy,
  seedCycle,
  seedModel,
  subjectOf,
} from '../support/experiment-data.js';

const database = await useTestDatabase();
const { db } = database;

const DAY = 86_400;

const guardrails = [
  { metric: 'error_rate' as const, margin: 0.2 },
  { metric: 'slow_rate' as const, max_ratio: 1.5 },
];

/** A model whose champion answered `answers` requests yesterday, in 1 to 100 ms: the 95th percentile is 95.05. */
async function started(answers: number) {
  const { experiment } = quickPolicy('m');
  const model = await seedModel(db, { policy: { experiment: { ...experiment, guardrails } } });
  await insertInteractions(
    db,
    Array.from({ length: answers }, (_, i) => ({
      ...{ model, version: 1, subject: subjectOf('a'), askedAt: at(-DAY), latencyMs: 1 + (i % 100) },
    })),
  );
  // Neither who failed, nor an earlier week, nor somebody else's answers say how long the champion needs.
  const other = { model, subject: subjectOf('a'), askedAt: at(-DAY), latencyMs: 60_000 };
  await insertInteractions(db, [
    { ...other, version: 1, status: 'failed' },
    { ...other, version: 1, askedAt: at(-8 * DAY) },
    { ...other, version: 2 },
  ]);
  const cycleId = await seedCycle(db, model, at(-10));
  const facts = await startExperiment(db, { cycleId, candidate: 2, expectedEpoch: 1, asOf: at(0) });
  if (facts.routeChanged) throw new Error('the route was changed');
  return { model, experimentId: facts.experimentId };
}

/** 500 requests an arm, the challenger better in all but how long it takes. */
async function asked(test: { model: string; experimentId: string }, latencyMs: (i: number) => number | null) {
  const common = { ...test, subjects: 100, from: at(1) };
  await fillArm(db, { ...common, arm: 'champion', version: 1, positives: 250, latencyMs: (i) => 1 + (i % 100) });
  await fillArm(db, { ...common, arm: 'challenger', version: 2, positives: 400, latencyMs });
  return takeLook(db, { experimentId: test.experimentId, k: 1, asOf: at(60), isLast: false });
}

async function lookOf(experimentId: string) {
  const row = await db.prisma.look.findUniqueOrThrow({ where: { experimentId_k: { experimentId, k: 1 } } });
  const { input, figures } = row.evidence as unknown as {
    input: { slowLimitMs: number | null };
    figures: { harm: { guardrails: { metric: string }[] } };
  };
  return { row, input, slow: figures.harm.guardrails.find(({ metric }) => metric === 'slow_rate') };
}

it('freezes what is slow at the start, counts the challenger by it and promotes one that is fast enough', async () => {
  const test = await started(1_000);
  expect((await readExperiment(db, test.experimentId)).settings.slow_limit_ms).toBeCloseTo(1.5 * 95.05, 9);
  // 142.575 ms is the limit: 10 of 500 are over it, and one nobody timed.
  const facts = await asked(test, (i) => (i < 10 ? 143 : i === 10 ? null : 142));
  expect(facts).toMatchObject({ decision: 'promote', reason: 'significant' });
  const { row, slow, input } = await lookOf(test.experimentId);
  expect(row.challenger).toMatchObject({ requests: 500, slow: 11 });
  expect(row.champion).toMatchObject({ requests: 500, slow: 0 });
  expect(input.slowLimitMs).toBeCloseTo(142.575, 9);
  expect(slow).toMatchObject({ shown: true, tripped: false, limit: 0.05, challenger: { requests: 500, failed: 11 } });
  expect((await verifyExperiments(db, test.model)).flatMap(({ misfits }) => misfits)).toEqual([]);
});

it('does not promote a challenger of which too many requests are slow, and never stops one for it', async () => {
  const test = await started(1_000);
  const facts = await asked(test, (i) => (i < 30 ? 200 : 10));
  expect(facts).toMatchObject({ decision: 'wait', reason: 'evidence' });
  expect(facts.summary).toContain('guardrail slow_rate not shown');
  expect((await lookOf(test.experimentId)).slow).toMatchObject({ shown: false, tripped: false });
  const judged = await judgeExperiment(db, await readExperiment(db, test.experimentId), at(60));
  expect({ ...judged, evidence: judged.evidence() }).toMatchObject({
    stop: false,
    evidence: { guardrails: [{ metric: 'error_rate' }] },
  });
});

it('takes the limit from the champion arm so far where its history is short', async () => {
  const test = await started(999);
  expect((await readExperiment(db, test.experimentId)).settings.slow_limit_ms).toBeNull();
  expect(await asked(test, (i) => (i < 10 ? 143 : 142))).toMatchObject({ decision: 'promote' });
  const { row, input } = await lookOf(test.experimentId);
  expect(input.slowLimitMs).toBeCloseTo(142.575, 9);
  expect(row.challenger).toMatchObject({ slow: 10 });
  expect((await verifyExperiments(db, test.model)).flatMap(({ misfits }) => misfits)).toEqual([]);
  await db.pool.query(
    `UPDATE looks SET evidence = jsonb_set(evidence, '{input,slowLimitMs}', '999') WHERE experiment_id = $1`,
    [test.experimentId],
  );
  const found = (await verifyExperiments(db, test.model)).flatMap(({ misfits }) => misfits.map(({ field }) => field));
  expect(found).toEqual(['cut_digest', 'digest']);
});

it('does not take a challenger that nobody timed for a fast one', async () => {
  const untimed = await started(1_000);
  expect(await asked(untimed, () => null)).toMatchObject({ decision: 'wait', reason: 'evidence' });
  expect((await lookOf(untimed.experimentId)).row.challenger).toMatchObject({ requests: 500, slow: 500 });
});

it('says that nothing is known where the champion was not timed either', async () => {
  const test = await started(0);
  const common = { ...test, subjects: 100, from: at(1) };
  await fillArm(db, { ...common, arm: 'champion', version: 1, positives: 250 });
  await fillArm(db, { ...common, arm: 'challenger', version: 2, positives: 400, latencyMs: () => 1 });
  const facts = await takeLook(db, { experimentId: test.experimentId, k: 1, asOf: at(60), isLast: false });
  expect(facts.summary).toContain('guardrail slow_rate not shown');
  const { slow, input } = await lookOf(test.experimentId);
  expect(input.slowLimitMs).toBeNull();
  expect(slow).toMatchObject({ shown: false, delta: null, upper: 1, challenger: { failed: null } });
  expect((await verifyExperiments(db, test.model)).flatMap(({ misfits }) => misfits)).toEqual([]);
});
