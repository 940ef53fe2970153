import { describe, expect, it } from 'vitest';
import { endBake, endExperiment, promote, startExperiment, takeLook } from '../../src/experiments/index.js';
import { compareVersions, listVersions, registerVersion, showVersion } from '../../src/registry/index.js';
import { useTestDatabase } from '../support/database.js';
import { at, fillArm, seedCycle, seedModel } from '../support/experiment-data.js';
import { seedTraining } from '../support/seed-training.js';

const database = await useTestDatabase();
const { db } = database;

const asOf = at(4_000);

/** A cycle from its training to the end of its experiment, an hour a cycle. */
async function cycle(model: string, options: { hour: number; metrics: object; epochs?: number; better: boolean }) {
  const { hour, better } = options;
  const time = (seconds: number) => at(hour * 1_000 + seconds);
  const champion = (await db.prisma.route.findUniqueOrThrow({ where: { model } })).champion;
  const cycleId = await seedCycle(db, model, time(-10));
  if (options.epochs !== undefined) {
    const { policy } = await db.prisma.cycle.findUniqueOrThrow({ where: { id: cycleId } });
    const changed = { ...(policy as object), trainer: { epochs: options.epochs } };
    await db.prisma.cycle.update({ where: { id: cycleId }, data: { policy: changed, policyDigest: `p${hour}` } });
  }
  const sha256 = String(hour).repeat(64).slice(0, 64);
  const run = await seedTraining(
    db,
    { model, cycleId, asOf: time(-5) },
    { baseModel: 'tiny', metrics: options.metrics as Record<string, unknown>, sha256 },
  );
  const { version } = await registerVersion(db, run);
  await db.prisma.evaluation.create({
    data: {
      ...{ id: run.trainingRunId, model, cycleId, champion, challenger: version, goldenDigest: 'g'.repeat(64), n: 200 },
      ...{ championRight: 100 + hour, challengerRight: 120, onlyChallenger: 30, onlyChampion: 10 + hour },
      ...{ difference: 0.1, standardError: 0.03, lowerBound: 0.05, margin: 0.02, noGate: false, passed: true },
      createdAt: time(-1),
    },
  });
  const { epoch } = await db.prisma.route.findUniqueOrThrow({ where: { model } });
  const started = await startExperiment(db, { cycleId, candidate: version, expectedEpoch: epoch, asOf: time(0) });
  if (started.routeChanged) throw new Error('the route was changed');
  const { experimentId } = started;
  const arms = { model, experimentId, subjects: 60, from: time(1) };
  await fillArm(db, { ...arms, arm: 'champion', version: champion, positives: 150 });
  await fillArm(db, { ...arms, arm: 'challenger', version, positives: better ? 240 : 150 });
  await takeLook(db, { experimentId, k: 1, asOf: time(60), isLast: !better });
  const decided = { experimentId, actor: 'cycle', asOf: time(61) };
  if (better) {
    const promoted = await promote(db, { ...decided, reason: 'significant', forced: false, expectedEpoch: epoch + 1 });
    if (promoted.routeChanged || 'frozenUntil' in promoted) throw new Error('not promoted');
    await endBake(db, { experimentId: promoted.bakeExperimentId, asOf: time(200) });
  } else {
    await endExperiment(db, { ...decided, decision: 'reject', reason: 'no_improvement' });
  }
  await db.prisma.cycle.update({
    where: { id: cycleId },
    data: {
      endedAt: time(210),
      outcome: better ? 'promoted' : 'rejected',
      reason: better ? 'significant' : 'no_improvement',
    },
  });
  return { experimentId, ...run, version };
}

describe('what is kept of a version', () => {
  it('stays as it was when the next ones come: metrics, evaluation, experiment, bake and who promoted it', async () => {
    const model = await seedModel(db, { versions: 1 });
    const second = await cycle(model, { hour: 0, metrics: { steps: 2, last_loss: 0.5 }, better: true });
    const before = await showVersion(db, model, 2);
    const third = await cycle(model, { hour: 1, metrics: { steps: 3, last_loss: 0.1 }, epochs: 7, better: false });

    expect(before).toMatchObject({
      ...{ model, version: 2, label: '1.2.0', kind: 'adapter', state: 'candidate', role: 'champion', sandbox: true },
      metrics: { steps: 2, last_loss: 0.5 },
      lineage: {
        cycle: { id: second.cycleId, champion_before: 1, outcome: 'promoted', reason: 'significant' },
        dataset: { id: second.datasetId, train: 6, validation: 2, state: 'frozen' },
        training: { id: second.trainingRunId, job: 'job' },
      },
      evaluations: [{ champion: 1, challenger: 2, n: 200, challenger_right: 120, passed: true }],
      experiments: [
        {
          ...{ id: second.experimentId, kind: 'ab', champion: 1, challenger: 2, decision: 'promote', looks: 1 },
          look: {
            k: 1,
            n: { champion: 300, challenger: 300 },
            x: { champion: 150, challenger: 240 },
            decision: 'promote',
          },
          ended_by: { action: 'promote', actor: 'cycle', forced: false, evidence: { look: 1 } },
        },
        {
          ...{
            kind: 'bake',
            champion: 2,
            challenger: 1,
            decision: 'keep',
            reason: 'bake_passed',
            looks: 0,
            look: null,
          },
          ended_by: { action: 'end_bake', evidence: { boundary: -0.01, n: { champion: 0, holdback: 0 } } },
        },
      ],
      champion_moves: [{ action: 'promote', from: 1, to: 2, actor: 'cycle', reason: 'significant', forced: false }],
    });
    expect(before.experiments[0]!.look!.interval![0]).toBeGreaterThan(0);

    const after = await showVersion(db, model, 2);
    expect(after).toEqual({
      ...before,
      evaluations: [...before.evaluations, expect.objectContaining({ champion: 2, challenger: 3 })],
      experiments: [...before.experiments, expect.objectContaining({ champion: 2, challenger: 3, decision: 'reject' })],
    });
    expect(await showVersion(db, model, 3)).toMatchObject({
      ...{ label: '1.3.0', role: null, metrics: { steps: 3, last_loss: 0.1 }, champion_moves: [] },
      lineage: { cycle: { id: third.cycleId }, policy_digest: 'p1' },
      experiments: [{ id: third.experimentId, decision: 'reject', ended_by: { actor: 'cycle' } }],
    });
    expect(await showVersion(db, model, 1)).toMatchObject({
      ...{ label: '1.1.0', role: 'previous', metrics: {}, adapter: null },
      lineage: { cycle: null, dataset: null, training: null, policy_digest: null },
      champion_moves: [
        { action: 'create', from: null, to: 1 },
        { action: 'promote', from: 1, to: 2 },
      ],
    });
    expect((await listVersions(db, model)).map(({ version, role }) => [version, role])).toEqual([
      [1, 'previous'],
      [2, 'champion'],
      [3, null],
    ]);
  });

  it('is refused for what is not there', async () => {
    const model = await seedModel(db, { versions: 1 });
    await expect(showVersion(db, model, 9)).rejects.toMatchObject({ code: 'unknown_version' });
    await expect(showVersion(db, 'nobody', 1)).rejects.toMatchObject({ code: 'unknown_model' });
    await expect(listVersions(db, 'nobody')).rejects.toMatchObject({ code: 'unknown_model' });
  });
});

describe('comparing two versions', () => {
  it('shows what they were made from, the golden rows, live outcomes with their interval, and where they met', async () => {
    const model = await seedModel(db, { versions: 1 });
    await cycle(model, { hour: 0, metrics: { steps: 2 }, better: true });
    const { experimentId } = await cycle(model, { hour: 1, metrics: { steps: 3 }, epochs: 7, better: false });
    const found = await compareVersions(db, { model, a: 2, b: 3, days: 30, asOf });
    expect(found).toMatchObject({
      ...{ compatible: true, policies_known: true, a: { version: 2 }, b: { version: 3, label: expect.any(String) } },
      evaluation: { n: 200, a_right: 101, b_right: 120, difference: 0.095, paired: true },
      experiments: [{ id: experimentId, look: { delta: 0 } }],
      live: { a: { n: 600, positive: 0.65, subjects: 120 }, b: { n: 300, subjects: 60, positive: 0.5 } },
    });
    expect(found.lineage).toContainEqual({ path: 'policy.trainer.epochs', a: 2, b: 7 });
    expect(found.lineage.map(({ path }) => path)).toContain('dataset.digest');
    const [low, high] = found.live.b.interval!;
    expect(low).toBeLessThan(0.5);
    expect(high).toBeGreaterThan(0.5);
    expect(found.notes).toEqual([expect.stringContaining('Only the experiments compare them')]);
  });

  it('claims nothing where nothing is known, and says that people were not assigned at random', async () => {
    const model = await seedModel(db, { versions: 3 });
    const found = await compareVersions(db, { model, a: 2, b: 3, days: 30, asOf });
    expect(found).toMatchObject({
      ...{ policies_known: false, evaluation: null, experiments: [] },
      live: { a: { n: 0, positive: null, interval: null }, b: { n: 0, positive: null, interval: null } },
    });
    expect(found.notes).toEqual([
      expect.stringContaining('Evaluation: unknown'),
      expect.stringContaining('Live outcomes: unknown'),
      expect.stringContaining('never met in an experiment'),
    ]);
  });

  it('takes two evaluations for one only on the same golden rows, and gives no bound then', async () => {
    const model = await seedModel(db, { versions: 1 });
    await cycle(model, { hour: 0, metrics: {}, better: false });
    await cycle(model, { hour: 1, metrics: {}, better: false });
    const request = { model, a: 2, b: 3, days: 30, asOf };
    const found = await compareVersions(db, request);
    expect(found.evaluation).toMatchObject({ a_right: 120, b_right: 120, difference: 0, paired: false });
    expect(found.notes[0]).toContain('not asked side by side');
    await db.prisma.evaluation.updateMany({ where: { model, challenger: 3 }, data: { goldenDigest: 'h'.repeat(64) } });
    expect((await compareVersions(db, request)).evaluation).toBeNull();
  });
});
