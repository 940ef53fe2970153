import { describe, expect, it } from 'vitest';
import { createDb } from '../../src/db/index.js';
import { decideAtLook, type LookInput } from '../../src/experiments/decide.js';
import {
  checkBake,
  endBake,
  endExperiment,
  promote,
  readExperiment,
  startExperiment,
  takeLook,
  undoRoute,
  verifyExperiments,
} from '../../src/experiments/index.js';
import { changeRoute, readRoute } from '../../src/routing/index.js';
import { createTestDatabase, useTestDatabase } from '../support/database.js';
import {
  at,
  fillArm,
  insertFeedback,
  insertInteractions,
  routeChanges,
  seedCycle,
  seedModel,
  subjectOf,
} from '../support/experiment-data.js';

const database = await useTestDatabase();
const { db } = database;

/** A model whose cycle has just started its A/B test of version 2 against version 1. */
async function started(options: Parameters<typeof seedModel>[1] = {}) {
  const model = await seedModel(db, options);
  const cycleId = await seedCycle(db, model, at(-10));
  const facts = await startExperiment(db, { cycleId, candidate: 2, expectedEpoch: 1, asOf: at(0) });
  if (facts.routeChanged) throw new Error('the route was changed');
  return { model, cycleId, ...facts };
}

/** The same after its challenger was better: 100 subjects of 5 rated requests an arm, 50 % against 80 %. */
async function won(options: Parameters<typeof seedModel>[1] = {}) {
  const test = await started(options);
  await traffic(test, { champion: 250, challenger: 400 });
  return test;
}

async function traffic(
  test: { model: string; experimentId: string },
  positives: { champion: number; challenger: number },
  failed = 0,
) {
  const { model, experimentId } = test;
  const common = { model, experimentId, subjects: 100, from: at(1) };
  await fillArm(db, { ...common, arm: 'champion', version: 1, positives: positives.champion });
  await fillArm(db, { ...common, arm: 'challenger', version: 2, positives: positives.challenger, failed });
}

async function baking(options: Parameters<typeof seedModel>[1] = {}) {
  const test = await won(options);
  await takeLook(db, { experimentId: test.experimentId, k: 1, asOf: at(60), isLast: false });
  const promoted = await promote(db, { ...byCycle(test), expectedEpoch: 2, asOf: at(61) });
  if (promoted.routeChanged || 'frozenUntil' in promoted) throw new Error('not promoted');
  return { ...test, ...promoted };
}

const byCycle = ({ experimentId }: { experimentId: string }) => ({
  experimentId,
  actor: 'cycle',
  reason: 'significant',
  forced: false,
});
const alone = (champion: number, previous: number | null) => ({
  champion,
  previous,
  challenger: null,
  share: null,
  experimentId: null,
});

/** Somebody outside the cycle moves the route, through the door but without a word to the experiment. */
async function somebodyMovesTheRoute(model: string, champion: number, previous: number | null) {
  const { epoch } = await readRoute(db, model);
  await changeRoute(db, {
    model,
    expectedEpoch: epoch,
    next: alone(champion, previous),
    action: 'rollback',
    actor: 'alice',
    reason: 'by hand',
    evidence: {},
  });
}

describe('startExperiment', () => {
  it('puts the challenger on the route and freezes what will decide, in one change with its evidence', async () => {
    const { model, cycleId, experimentId, epoch, minEndsAt, maxEndsAt } = await started();
    expect(await readRoute(db, model)).toMatchObject({ epoch, champion: 1, challenger: 2, share: 0.5, experimentId });
    expect([minEndsAt, maxEndsAt]).toEqual([at(60).toISOString(), at(180).toISOString()]);
    expect(await readExperiment(db, experimentId)).toMatchObject({
      kind: 'ab',
      champion: 1,
      challenger: 2,
      sandbox: true,
      prior: { p0: 0.5, D0: 1 },
      settings: {
        experiment: { min_duration: 60_000, feedback_window: 10_000 },
        promotion: { bake: 60_000 },
        min_rating: 0.75,
      },
    });
    const [, change] = await routeChanges(db, model);
    expect(change).toMatchObject({ action: 'start_experiment', actor: 'cycle', cycleId });
    expect(change!.evidence).toMatchObject({
      experiment: experimentId,
      n: { champion: 0 },
      interval: null,
      boundary: expect.closeTo(3.71, 2),
    });
    expect((await db.prisma.cycle.findUniqueOrThrow({ where: { id: cycleId } })).candidate).toBe(2);
  });

  it('answers a second call with the first experiment', async () => {
    const { model, cycleId, ...first } = await started();
    const again = await startExperiment(db, { cycleId, candidate: 2, expectedEpoch: 1, asOf: at(30) });
    expect(again).toEqual(first);
    expect(await routeChanges(db, model)).toHaveLength(2);
  });

  it('starts one experiment when it is called five times at once', async () => {
    const model = await seedModel(db);
    const cycleId = await seedCycle(db, model);
    const input = { cycleId, candidate: 2, expectedEpoch: 1 };
    const answers = await Promise.all(
      Array.from({ length: 5 }, (_, i) => startExperiment(db, { ...input, asOf: at(i) })),
    );
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    expect(await db.prisma.experiment.count({ where: { model } })).toBe(1);
  });

  it('leaves a route that was changed meanwhile alone and says by whom', async () => {
    const model = await seedModel(db, { versions: 3 });
    const cycleId = await seedCycle(db, model);
    await somebodyMovesTheRoute(model, 3, 1);
    const answer = await startExperiment(db, { cycleId, candidate: 2, expectedEpoch: 1, asOf: at(0) });
    expect(answer).toEqual({ routeChanged: true, actor: 'alice', epoch: 2, action: 'rollback' });
    expect(await db.prisma.experiment.count({ where: { model } })).toBe(0);
    expect(await readRoute(db, model)).toMatchObject({ champion: 3, challenger: null });
  });

  it('refuses a candidate that is unknown or was rejected', async () => {
    const model = await seedModel(db);
    const cycleId = await seedCycle(db, model);
    const input = { cycleId, expectedEpoch: 1, asOf: at(0) };
    await expect(startExperiment(db, { ...input, candidate: 7 })).rejects.toMatchObject({ code: 'unknown_version' });
    await db.prisma.version.update({ where: { model_version: { model, version: 2 } }, data: { state: 'rejected' } });
    await expect(startExperiment(db, { ...input, candidate: 2 })).rejects.toMatchObject({ code: 'version_rejected' });
    expect((await readRoute(db, model)).epoch).toBe(1);
  });

  it('gives experiments of the same model and ordinal the same id, so that a seeded run assigns alike', async () => {
    const { model, experimentId } = await started();
    const other = await createTestDatabase();
    const twin = createDb(other.url);
    try {
      await seedModel(twin, { model });
      const cycleId = await seedCycle(twin, model);
      const facts = await startExperiment(twin, { cycleId, candidate: 2, expectedEpoch: 1, asOf: at(5) });
      expect(facts).toMatchObject({ experimentId });
    } finally {
      await twin.close();
      await other.drop();
    }
  });

  it('ends the experiment that a dead cycle left on the route', async () => {
    const first = await started({ versions: 3 });
    await db.prisma.cycle.update({
      where: { id: first.cycleId },
      data: { endedAt: at(5), outcome: 'failed', reason: 'superseded' },
    });
    const cycleId = await seedCycle(db, first.model, at(6));
    const second = await startExperiment(db, { cycleId, candidate: 3, expectedEpoch: 2, asOf: at(7) });
    expect(second).toMatchObject({ epoch: 3 });
    expect(await readExperiment(db, first.experimentId)).toMatchObject({
      decision: 'inconclusive',
      reason: 'superseded',
    });
    expect(await readRoute(db, first.model)).toMatchObject({ champion: 1, challenger: 3 });
  });
});

describe('takeLook', () => {
  it('stores a look from which the same decision can be made again, to the last digit', async () => {
    const { experimentId } = await won();
    const facts = await takeLook(db, { experimentId, k: 1, asOf: at(60), isLast: false });
    expect(facts).toMatchObject({
      decision: 'promote',
      reason: 'significant',
      tested: true,
      champion: { n: 500, x: 250 },
      challenger: { n: 500, x: 400 },
    });
    expect(facts.summary.length).toBeLessThanOrEqual(200);

    const row = await db.prisma.look.findUniqueOrThrow({ where: { experimentId_k: { experimentId, k: 1 } } });
    const { input, figures, explanation } = row.evidence as unknown as {
      input: Omit<LookInput, 'champion' | 'challenger' | 'crossed'>;
      figures: object;
      explanation: string;
    };
    const recomputed = decideAtLook({
      ...input,
      champion: row.champion as unknown as LookInput['champion'],
      challenger: row.challenger as unknown as LookInput['challenger'],
      crossed: row.crossed,
    });
    expect(JSON.parse(JSON.stringify(recomputed))).toEqual({ ...figures, explanation });
    expect(row).toMatchObject({
      z: recomputed.z,
      p: recomputed.p,
      delta: recomputed.delta,
      boundary: recomputed.c,
      intervalLow: recomputed.interval!.lower,
      intervalHigh: recomputed.interval!.upper,
      information: recomputed.information,
      iMax: recomputed.maxInformation,
      tau: recomputed.tau,
      alphaSpent: recomputed.alphaSpent,
      srmP: recomputed.sampleRatio.p,
      deltaImputed: recomputed.ratings.deltaImputed,
      i0: recomputed.harm.initialInformation,
      takenAt: at(60),
    });
  });

  it('answers a stored look as it was, whatever arrived since', async () => {
    const { experimentId, model } = await won();
    const first = await takeLook(db, { experimentId, k: 1, asOf: at(60), isLast: false });
    const [id] = await insertInteractions(db, [
      {
        model,
        experimentId,
        arm: 'challenger',
        subject: subjectOf(`${experimentId}/challenger/0`),
        askedAt: at(20),
        assignedVersion: 2,
      },
    ]);
    await insertFeedback(db, [{ interactionId: id!, kind: 'thumbs', body: { value: -1 }, receivedAt: at(21) }]);
    expect(await takeLook(db, { experimentId, k: 1, asOf: at(60), isLast: false })).toEqual(first);
    expect((await takeLook(db, { experimentId, k: 2, asOf: at(120), isLast: false })).challenger.n).toBe(501);
  });

  it('stores one look when five are taken at once', async () => {
    const { experimentId } = await won();
    const looks = await Promise.all(
      Array.from({ length: 5 }, (_, i) => takeLook(db, { experimentId, k: 1, asOf: at(60 + i), isLast: false })),
    );
    for (const look of looks) expect(look).toEqual(looks[0]);
    expect(await db.prisma.look.count({ where: { experimentId } })).toBe(1);
  });

  it('waits before the minimum duration whatever the numbers say, and without enough data until the last look', async () => {
    const early = await won();
    expect(await takeLook(db, { experimentId: early.experimentId, k: 1, asOf: at(59), isLast: false })).toMatchObject({
      decision: 'wait',
      reason: 'min_duration',
    });
    const empty = await started();
    const { experimentId } = empty;
    expect(await takeLook(db, { experimentId, k: 1, asOf: at(60), isLast: false })).toMatchObject({
      decision: 'wait',
      reason: 'floors',
    });
    // Late by a minute and not announced as the last: the clock says that it is.
    expect(await takeLook(db, { experimentId, k: 2, asOf: at(240), isLast: false })).toMatchObject({
      decision: 'inconclusive',
      reason: 'not_enough_data',
    });
  });

  it('rejects a challenger that cannot be better', async () => {
    const test = await started();
    await traffic(test, { champion: 300, challenger: 250 });
    expect(await takeLook(db, { experimentId: test.experimentId, k: 3, asOf: at(180), isLast: true })).toMatchObject({
      decision: 'reject',
    });
  });

  it('says that the route left the experiment, and stores nothing', async () => {
    const { experimentId, model } = await won({ versions: 3 });
    await somebodyMovesTheRoute(model, 3, 1);
    const facts = await takeLook(db, { experimentId, k: 1, asOf: at(60), isLast: false });
    expect(facts).toMatchObject({
      decision: 'inconclusive',
      reason: 'route_changed',
      routeChanged: { actor: 'alice', epoch: 3, action: 'rollback' },
    });
    expect(facts.summary).toContain('alice');
    expect(await db.prisma.look.count({ where: { experimentId } })).toBe(0);
  });
});

describe('endExperiment', () => {
  it('gives all traffic back to the champion, with the numbers of the last look', async () => {
    const test = await started();
    await traffic(test, { champion: 300, challenger: 290 });
    const { experimentId, model, cycleId } = test;
    const look = await takeLook(db, { experimentId, k: 1, asOf: at(180), isLast: true });
    const input = { experimentId, decision: look.decision, reason: look.reason!, actor: 'cycle', asOf: at(181) };
    expect(await endExperiment(db, input)).toEqual({ epoch: 3 });
    expect(await readRoute(db, model)).toMatchObject({
      epoch: 3,
      champion: 1,
      previous: null,
      challenger: null,
      share: null,
      experimentId: null,
    });
    expect(await readExperiment(db, experimentId)).toMatchObject({ decision: look.decision, endedAt: at(181) });
    const change = (await routeChanges(db, model)).at(-1)!;
    expect(change).toMatchObject({ action: 'end_experiment', cycleId });
    expect(change.evidence).toMatchObject({
      look: 1,
      n: { champion: 500, challenger: 500 },
      x: { champion: 300, challenger: 290 },
      interval: look.interval,
      boundary: look.boundary,
    });
    // Again: nothing more happens.
    expect(await endExperiment(db, input)).toEqual({ epoch: 3 });
    expect(await routeChanges(db, model)).toHaveLength(3);
  });

  it('leaves a route that somebody else changed alone, reports it, and leaves no experiment live', async () => {
    const { experimentId, model } = await started({ versions: 3 });
    await somebodyMovesTheRoute(model, 3, 1);
    const answer = await endExperiment(db, {
      experimentId,
      decision: 'inconclusive',
      reason: 'max_duration',
      actor: 'cycle',
      asOf: at(70),
    });
    expect(answer).toEqual({ routeChanged: true, actor: 'alice', epoch: 3, action: 'rollback' });
    expect(await readRoute(db, model)).toMatchObject({ epoch: 3, champion: 3 });
    expect(await readExperiment(db, experimentId)).toMatchObject({ decision: 'inconclusive', reason: 'route_changed' });
  });
});

describe('promote', () => {
  it('does nothing in a freeze window of the present policy, unless it is told to, and then says so', async () => {
    const test = await won();
    await takeLook(db, { experimentId: test.experimentId, k: 1, asOf: at(60), isLast: false });
    const until = at(3_600).toISOString().slice(0, 16);
    const freeze = [{ from: at(0).toISOString().slice(0, 16), to: until }];
    const { policy } = await db.prisma.model.findUniqueOrThrow({ where: { name: test.model } });
    const promotion = { ...(policy as { promotion: object }).promotion, freeze };
    // Applied while the cycle runs.
    const document = { ...(policy as object), promotion };
    await db.prisma.model.update({ where: { name: test.model }, data: { policy: document } });
    const request = { ...byCycle(test), expectedEpoch: 2 };
    expect(await promote(db, { ...request, asOf: at(61) })).toEqual({ frozenUntil: `${until}:00.000Z` });
    expect((await readRoute(db, test.model)).epoch).toBe(2);
    expect((await readExperiment(db, test.experimentId)).endedAt).toBe(null);
    expect(await promote(db, { ...request, despiteFreeze: true, asOf: at(62) })).toMatchObject({ epoch: 3 });
    expect((await routeChanges(db, test.model)).at(-1)).toMatchObject({
      reason: `in a freeze until ${until}:00.000Z: significant`,
      evidence: { despite_freeze_until: `${until}:00.000Z`, forced: false },
    });
    // Asked again by an attempt whose answer was lost: it was promoted.
    expect(await promote(db, { ...request, asOf: at(63) })).toMatchObject({ epoch: 3 });
    expect(await verifyExperiments(db, test.model)).toMatchObject([{ misfits: [] }, { misfits: [] }]);
  });

  it('makes the challenger champion and the old champion its holdback, in one change', async () => {
    const { model, experimentId, epoch, bakeExperimentId, bakeEndsAt, cycleId } = await baking();
    expect(bakeEndsAt).toBe(at(121).toISOString());
    expect(await readRoute(db, model)).toMatchObject({
      epoch,
      champion: 2,
      previous: 1,
      challenger: 1,
      share: 0.2,
      experimentId: bakeExperimentId,
    });
    expect(await readExperiment(db, experimentId)).toMatchObject({ decision: 'promote', reason: 'significant' });
    // 250 of the champion's 500 answers before were good: that is what the bake knows of the holdback.
    expect(await readExperiment(db, bakeExperimentId)).toMatchObject({
      kind: 'bake',
      champion: 2,
      challenger: 1,
      cycleId,
      endedAt: null,
      prior: { p0: 0.5 },
    });
    const change = (await routeChanges(db, model)).at(-1)!;
    expect(change).toMatchObject({ action: 'promote', forced: false, cycleId });
    expect(change.evidence).toMatchObject({
      look: 1,
      n: { champion: 500, challenger: 500 },
      boundary: expect.closeTo(3.638, 2),
      decision: 'promote',
    });
  });

  it('answers a second call with the first promotion', async () => {
    const { model, experimentId, epoch, bakeExperimentId, bakeEndsAt } = await baking();
    const again = await promote(db, { ...byCycle({ experimentId }), expectedEpoch: 2, asOf: at(90) });
    expect(again).toEqual({ epoch, bakeExperimentId, bakeEndsAt });
    expect(await routeChanges(db, model)).toHaveLength(3);
  });

  it('promotes once when it is called five times at once', async () => {
    const { model, experimentId } = await won();
    await takeLook(db, { experimentId, k: 1, asOf: at(60), isLast: false });
    const answers = await Promise.all(
      Array.from({ length: 5 }, (_, i) =>
        promote(db, { ...byCycle({ experimentId }), expectedEpoch: 2, asOf: at(61 + i) }),
      ),
    );
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    expect(await db.prisma.experiment.count({ where: { model, kind: 'bake' } })).toBe(1);
    expect((await readRoute(db, model)).epoch).toBe(3);
  });

  it('refuses to promote before the floor unless forced, and records a forced promotion as forced', async () => {
    const { model, experimentId } = await won();
    await expect(promote(db, { ...byCycle({ experimentId }), expectedEpoch: 2, asOf: at(59) })).rejects.toMatchObject({
      code: 'promotion_too_early',
    });
    expect((await readRoute(db, model)).champion).toBe(1);

    await promote(db, {
      experimentId,
      actor: 'alice',
      reason: 'a hunch',
      forced: true,
      expectedEpoch: 2,
      requestId: 'alice-1',
      asOf: at(59),
    });
    const change = (await routeChanges(db, model)).at(-1)!;
    expect(change).toMatchObject({ forced: true, actor: 'alice', requestId: 'alice-1' });
    expect(change.evidence).toMatchObject({
      look: null,
      n: { champion: 500, challenger: 500 },
      interval: [expect.any(Number), expect.any(Number)],
      boundary: expect.closeTo(3.638, 2),
    });
    expect(await readExperiment(db, experimentId)).toMatchObject({ decision: 'promote', reason: 'forced' });
  });

  it('records a promotion without a look that said so as forced, also after the floor', async () => {
    const { model, experimentId } = await won();
    await promote(db, { ...byCycle({ experimentId }), actor: 'alice', expectedEpoch: 2, asOf: at(70) });
    expect((await routeChanges(db, model)).at(-1)).toMatchObject({ forced: true });
  });

  it('leaves a route that was changed meanwhile alone', async () => {
    const { model, experimentId } = await won({ versions: 3 });
    await takeLook(db, { experimentId, k: 1, asOf: at(60), isLast: false });
    await somebodyMovesTheRoute(model, 3, 1);
    const answer = await promote(db, { ...byCycle({ experimentId }), expectedEpoch: 2, asOf: at(61) });
    expect(answer).toEqual({ routeChanged: true, actor: 'alice', epoch: 3, action: 'rollback' });
    expect(await readRoute(db, model)).toMatchObject({ champion: 3, epoch: 3 });
    expect(await db.prisma.experiment.count({ where: { model, kind: 'bake' } })).toBe(0);
  });
});

describe('the bake', () => {
  it('that goes well ends with all traffic on the new champion', async () => {
    const { model, bakeExperimentId } = await baking();
    await bakeTraffic(model, bakeExperimentId, { champion: 400, holdback: 60 });
    expect(await checkBake(db, { experimentId: bakeExperimentId, asOf: at(110) })).toMatchObject({
      rollback: false,
      champion: { n: 500, x: 400 },
      holdback: { n: 125, x: 60 },
    });
    expect(await endBake(db, { experimentId: bakeExperimentId, asOf: at(121) })).toEqual({ epoch: 4 });
    expect(await endBake(db, { experimentId: bakeExperimentId, asOf: at(125) })).toEqual({ epoch: 4 });
    expect(await readRoute(db, model)).toMatchObject({
      champion: 2,
      previous: 1,
      challenger: null,
      experimentId: null,
    });
    expect((await routeChanges(db, model)).at(-1)!.evidence).toMatchObject({
      n: { champion: 500, holdback: 125 },
      boundary: -0.01,
    });
  });

  it('that goes well archives what it has pushed out of the route, and nothing else', async () => {
    const model = await seedModel(db, { versions: 4 });
    for (const candidate of [2, 3]) {
      const cycleId = await seedCycle(db, model, at(candidate * 1_000));
      const { epoch } = await readRoute(db, model);
      const asOf = at(candidate * 1_000);
      const test = await startExperiment(db, { cycleId, candidate, expectedEpoch: epoch, asOf });
      if (test.routeChanged) throw new Error('the route was changed');
      const { experimentId, epoch: expectedEpoch } = test;
      const move = { experimentId, expectedEpoch, actor: 'ada', reason: 'by hand', forced: true, asOf };
      const promoted = await promote(db, move);
      if (promoted.routeChanged || 'frozenUntil' in promoted) throw new Error('not promoted');
      await endBake(db, { experimentId: promoted.bakeExperimentId, asOf: at(candidate * 1_000 + 500) });
      await db.prisma.cycle.update({
        where: { id: cycleId },
        data: { outcome: 'promoted', reason: 'forced', endedAt: asOf },
      });
    }
    expect(await readRoute(db, model)).toMatchObject({ champion: 3, previous: 2 });
    const states = await db.prisma.version.findMany({ where: { model }, orderBy: { version: 'asc' } });
    // Version 4 is newer than the champion: it was never in the route, and may be on its way there.
    expect(states.map(({ state }) => state)).toEqual(['archived', 'candidate', 'candidate', 'candidate']);
  });

  it('that shows degradation is rolled back to the champion from before', async () => {
    const { model, cycleId, bakeExperimentId } = await baking();
    await bakeTraffic(model, bakeExperimentId, { champion: 150, holdback: 100 });
    const facts = await checkBake(db, { experimentId: bakeExperimentId, asOf: at(110) });
    expect(facts).toMatchObject({ rollback: true });
    const undo = { cycleId, actor: 'cycle', reason: 'bake_harm', asOf: at(111) };
    expect(await undoRoute(db, undo)).toEqual({ undone: true });
    expect(await readRoute(db, model)).toMatchObject({ epoch: 4, champion: 1, previous: null, challenger: null });
    expect(await readExperiment(db, bakeExperimentId)).toMatchObject({ decision: 'rollback', reason: 'bake_harm' });
    expect((await routeChanges(db, model)).at(-1)).toMatchObject({
      action: 'rollback',
      evidence: { boundary: -0.01, interval: [null, expect.any(Number)] },
    });
    // A retry finds that it is done, and a look that it was rolled back.
    expect(await undoRoute(db, undo)).toEqual({ undone: true });
    expect(await routeChanges(db, model)).toHaveLength(4);
    expect(await checkBake(db, { experimentId: bakeExperimentId, asOf: at(112) })).toMatchObject({
      rollback: true,
      routeChanged: { actor: 'cycle', action: 'rollback' },
    });
  });
});

async function bakeTraffic(model: string, experimentId: string, positives: { champion: number; holdback: number }) {
  await fillArm(db, {
    model,
    experimentId,
    arm: 'champion',
    version: 2,
    subjects: 100,
    positives: positives.champion,
    from: at(62),
  });
  await fillArm(db, {
    model,
    experimentId,
    arm: 'holdback',
    version: 1,
    subjects: 25,
    positives: positives.holdback,
    from: at(62),
  });
}

describe('undoRoute', () => {
  it('has nothing to undo when the cycle never touched the route', async () => {
    const model = await seedModel(db);
    const cycleId = await seedCycle(db, model);
    expect(await undoRoute(db, { cycleId, actor: 'cycle', reason: 'canceled', asOf: at(1) })).toEqual({
      undone: false,
    });
    expect(await routeChanges(db, model)).toHaveLength(1);
  });

  it('ends a running experiment; the champion stays', async () => {
    const { model, cycleId, experimentId } = await started();
    expect(await undoRoute(db, { cycleId, actor: 'cycle', reason: 'canceled', asOf: at(30) })).toEqual({
      undone: true,
    });
    expect(await readRoute(db, model)).toMatchObject({ champion: 1, challenger: null, experimentId: null });
    expect(await readExperiment(db, experimentId)).toMatchObject({ decision: 'undone', reason: 'canceled' });
  });

  it('leaves a route that somebody else changed alone and reports who', async () => {
    const { model, cycleId, bakeExperimentId } = await baking({ versions: 3 });
    await somebodyMovesTheRoute(model, 3, 2);
    const before = await readRoute(db, model);
    expect(await undoRoute(db, { cycleId, actor: 'cycle', reason: 'canceled', asOf: at(90) })).toEqual({
      undone: false,
      changedBy: 'alice',
    });
    expect(await readRoute(db, model)).toEqual(before);
    expect(await readExperiment(db, bakeExperimentId)).toMatchObject({
      decision: 'inconclusive',
      reason: 'route_changed',
    });
  });

  it('leaves the route alone once the bake has ended well', async () => {
    const { model, cycleId, bakeExperimentId } = await baking();
    await endBake(db, { experimentId: bakeExperimentId, asOf: at(121) });
    expect(await undoRoute(db, { cycleId, actor: 'cycle', reason: 'failed', asOf: at(122) })).toEqual({
      undone: false,
    });
    expect(await readRoute(db, model)).toMatchObject({ champion: 2 });
  });
});
