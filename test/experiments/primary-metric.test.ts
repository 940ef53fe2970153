import { describe, expect, it } from 'vitest';
import {
  checkBake,
  judgeExperiment,
  planFromTraffic,
  promote,
  readExperiment,
  startExperiment,
  takeLook,
  verifyExperiments,
} from '../../src/experiments/index.js';
import type { LookEvidence } from '../../src/experiments/look-row.js';
import { type PolicyDocument, parsePolicy } from '../../src/policy/index.js';
import { useTestDatabase } from '../support/database.js';
import {
  at,
  insertExposures,
  insertFeedback,
  insertInteractions,
  quickPolicy,
  routeChanges,
  type SeededFeedback,
  type SeededInteraction,
  seedCycle,
  seedModel,
  subjectOf,
  uuid7,
} from '../support/experiment-data.js';

const database = await useTestDatabase();
const { db } = database;

type Section = NonNullable<PolicyDocument['experiment']>;
type Asked = Partial<SeededInteraction> & { said?: [kind: string, body: object, source?: string][] };
type Arm = 'champion' | 'challenger' | 'holdback';

async function started(changes: Partial<Section>, before: { model?: (model: string) => Promise<void> } = {}) {
  const { experiment } = quickPolicy('m');
  const model = await seedModel(db, { policy: { experiment: { ...experiment, ...changes } } });
  await before.model?.(model);
  const cycleId = await seedCycle(db, model, at(-10));
  const facts = await startExperiment(db, { cycleId, candidate: 2, expectedEpoch: 1, asOf: at(0) });
  if (facts.routeChanged) throw new Error('the route was changed');
  return { model, cycleId, experimentId: facts.experimentId };
}

/** 60 people of an arm who ask three times each. */
async function ask(
  { model, experimentId }: { model: string; experimentId: string },
  arm: Arm,
  version: number,
  answer: (i: number) => Asked,
  seconds = 1,
) {
  const interactions: SeededInteraction[] = [];
  const feedback: SeededFeedback[] = [];
  const people = Array.from({ length: 60 }, (_, p) => subjectOf(`${experimentId}/${arm}/${p}`));
  for (let i = 0; i < 180; i++) {
    const { said = [], ...more } = answer(i);
    const id = uuid7(at(seconds));
    const row = {
      id,
      model,
      experimentId,
      arm,
      subject: people[i % 60]!,
      askedAt: at(seconds),
      assignedVersion: version,
    };
    interactions.push({ ...row, ...more });
    for (const [kind, body, source = 'user'] of said)
      feedback.push({ interactionId: id, kind, body, source, receivedAt: at(seconds) });
  }
  await insertExposures(
    db,
    people.map((subject) => ({ experimentId, subject, arm, version, exposedAt: at(seconds) })),
  );
  await insertInteractions(db, interactions);
  await insertFeedback(db, feedback);
}

async function lookOf(experimentId: string) {
  const row = await db.prisma.look.findFirstOrThrow({ where: { experimentId }, orderBy: { k: 'desc' } });
  return { row, ...(row.evidence as unknown as LookEvidence) };
}
const look = (experimentId: string, k = 1) => takeLook(db, { experimentId, k, asOf: at(60 * k), isLast: false });
const misfits = async (model: string) =>
  (await verifyExperiments(db, model)).flatMap(({ misfits }) => misfits.map(({ field }) => field));
/** Something between 0 and 1 that looks like chance and never changes. */
const noise = (i: number) => ((i * 7919 + 13) % 101) / 101;
const score = (value: number): Asked => ({ said: [['score', { name: 'quality', value }, 'judge']] });

const quality = { kind: 'score' as const, name: 'quality', score: 'quality' };

describe('a primary metric that is a number', () => {
  it('promotes a challenger with better scores, and the decision can be made again from its row', async () => {
    const test = await started({ primary: 'quality', metrics: [quality], min_effect: 0.02, target_effect: 0.1 });
    await ask(test, 'champion', 1, (i) => score(0.5 * noise(i)));
    await ask(test, 'challenger', 2, (i) => score(0.2 + 0.5 * noise(i)));
    const facts = await look(test.experimentId);
    expect(facts).toMatchObject({ decision: 'promote', reason: 'significant', champion: { n: 180, x: 0 } });
    expect(facts.summary).toMatch(
      /^Better\. quality: challenger 0\.44\d* of 180, champion 0\.24\d* of 180: \+0\.2, 95% interval \+0\.\d+ to \+0\.\d+, z \d/,
    );
    const { row, figures } = await lookOf(test.experimentId);
    expect(row.delta).toBeCloseTo(0.2, 9);
    expect(figures).toMatchObject({ pChampion: expect.closeTo(0.245, 2), dChampion: null, harm: { tested: true } });
    expect(figures.estimate!.median).toBeGreaterThan(0.1);
    expect(await misfits(test.model)).toEqual([]);
    const forge = `jsonb_set(evidence, '{input,measured,challenger,totals,0}', '1')`;
    await db.pool.query(`UPDATE looks SET evidence = ${forge} WHERE experiment_id = $1`, [test.experimentId]);
    expect(await misfits(test.model)).toEqual(expect.arrayContaining(['cut_digest', 'z', 'delta', 'digest']));
  });

  it('takes less for better where less is better', async () => {
    const metrics = [{ kind: 'latency' as const }];
    const policy = { primary: 'latency', metrics, min_effect: 10, target_effect: 50 };
    const faster = await started(policy);
    await ask(faster, 'champion', 1, (i) => ({ latencyMs: 300 + Math.round(100 * noise(i)) }));
    await ask(faster, 'challenger', 2, (i) => ({ latencyMs: 200 + Math.round(100 * noise(i)) }));
    const facts = await look(faster.experimentId);
    expect(facts).toMatchObject({ decision: 'promote' });
    expect(facts.summary).toContain('latency (less is better): challenger 249.9 of 180, champion 349.9 of 180: -100,');
    expect((await lookOf(faster.experimentId)).row.delta).toBeCloseTo(100, 6);
    expect(await misfits(faster.model)).toEqual([]);

    const slower = await started(policy);
    await ask(slower, 'champion', 1, (i) => ({ latencyMs: 300 + Math.round(100 * noise(i)) }));
    await ask(slower, 'challenger', 2, (i) => ({ latencyMs: 600 + Math.round(100 * noise(i)) }));
    const judged = await judgeExperiment(db, await readExperiment(db, slower.experimentId), at(30));
    expect({ ...judged, evidence: judged.evidence() }).toMatchObject({
      stop: true,
      reason: 'harm',
      evidence: { primary: 'latency' },
    });
    expect(judged.summary).toMatch(
      /^Harm: the difference \+300 is at best \+\d+(\.\d+)?, above 0; latency of 180 against 180$/,
    );
    expect(await look(slower.experimentId)).toMatchObject({ decision: 'reject', reason: 'harm' });
  });

  it('is not promoted on what is missing in one arm, unless its range shows that it is better all the same', async () => {
    const asked = async (range: [number, number] | null) => {
      const test = await started({
        primary: 'quality',
        metrics: [{ ...quality, range }],
        min_effect: 0.02,
        target_effect: 0.1,
      });
      await ask(test, 'champion', 1, (i) => score(0.3 + 0.1 * noise(i)));
      // A quarter of the challenger's answers has no score.
      await ask(test, 'challenger', 2, (i) => (i % 4 === 0 ? {} : score(0.7 + 0.1 * noise(i))));
      return { facts: await look(test.experimentId), ...(await lookOf(test.experimentId)) };
    };
    const unknown = await asked(null);
    expect(unknown.facts).toMatchObject({ decision: 'inconclusive', reason: 'max_duration' });
    expect(unknown.facts.summary).toContain('measured unequally often, of no known range');
    expect(unknown.figures.ratings).toMatchObject({ imbalanced: true, deltaImputed: null });
    const known = await asked([0, 1]);
    expect(known.facts).toMatchObject({ decision: 'promote' });
    // Three quarters of 0.75 and a quarter of 0, against 0.35.
    expect(known.figures.ratings.deltaImputed).toBeCloseTo(0.75 * 0.75 - 0.35, 1);
    expect((await asked([-2, 1])).facts).toMatchObject({ decision: 'inconclusive', reason: 'max_duration' });
  });

  it('can be a weighted sum of others, of which each has to be there', async () => {
    const metrics: Section['metrics'] = [
      quality,
      { kind: 'positive_feedback', name: 'feedback' },
      { kind: 'latency' },
      { kind: 'composite', name: 'overall', weights: { quality: 0.5, feedback: 0.3, latency: -0.0002 } },
    ];
    const policy = { primary: 'overall', metrics, min_effect: 0.01, target_effect: 0.1 };
    const answered = (base: number, ms: number, rated: boolean) => (i: number) => ({
      latencyMs: ms + Math.round(50 * noise(i)),
      said: [
        ...score(base + 0.2 * noise(i)).said!,
        ...(rated ? [['thumbs', { value: noise(i + 5) < base ? 1 : -1 }] as [string, object]] : []),
      ],
    });
    const test = await started(policy);
    await ask(test, 'champion', 1, answered(0.4, 300, true));
    await ask(test, 'challenger', 2, answered(0.8, 400, true));
    const facts = await look(test.experimentId);
    expect(facts).toMatchObject({ decision: 'promote' });
    const { figures } = await lookOf(test.experimentId);
    const byName = Object.fromEntries(figures.metrics!.map((metric) => [metric.name, metric]));
    const delta = (name: string) => byName[name]!.delta!;
    expect(delta('overall')).toBeCloseTo(
      0.5 * delta('quality') + 0.3 * delta('feedback') - 0.0002 * delta('latency'),
      9,
    );
    expect(delta('latency')).toBeCloseTo(100, 6);
    expect(await misfits(test.model)).toEqual([]);

    const unrated = await started(policy);
    await ask(unrated, 'champion', 1, answered(0.4, 300, true));
    await ask(unrated, 'challenger', 2, answered(0.8, 400, false));
    expect(await look(unrated.experimentId)).toMatchObject({ decision: 'wait', reason: 'floors' });
  });

  it('fixes beforehand what its always-valid bounds are tightest at, from history or from the plan', async () => {
    const policy = { primary: 'quality', metrics: [quality], min_effect: 0.02, target_effect: 0.1 };
    const without = await readExperiment(db, (await started(policy)).experimentId);
    const iMax = 1 / without.prior.D0 / (1 / 100 + 0.5 / 50) / 0.2;
    expect(iMax).toBeGreaterThan((2.8 / 0.1) ** 2);
    const { experimentId } = await started(policy, {
      async model(model) {
        const rows = Array.from({ length: 200 }, (_, i) => ({
          ...{ id: uuid7(at(-86_400)), model, subject: subjectOf(`p${i}`), askedAt: at(-86_400), version: 1 },
        }));
        await insertInteractions(db, rows);
        await insertFeedback(
          db,
          rows.map(({ id }, i) => ({
            ...{ interactionId: id, kind: 'score', body: { name: 'quality', value: i % 2 }, receivedAt: at(-86_400) },
          })),
        );
      },
    });
    const { prior } = await readExperiment(db, experimentId);
    expect(prior).toEqual({ p0: expect.closeTo(0.5, 9), D0: expect.closeTo((0.25 * 200) / 199, 6) });
  });

  it('decides the bake too', async () => {
    const test = await started({ primary: 'quality', metrics: [quality], min_effect: 0.02, target_effect: 0.1 });
    const moved = await promote(db, {
      ...{ experimentId: test.experimentId, expectedEpoch: 2, actor: 'alice', reason: 'x', forced: true, asOf: at(61) },
    });
    if (moved.routeChanged || 'frozenUntil' in moved) throw new Error('not promoted');
    const bake = { model: test.model, experimentId: moved.bakeExperimentId };
    await ask(bake, 'champion', 2, (i) => score(0.2 + 0.1 * noise(i)), 62);
    await ask(bake, 'holdback', 1, (i) => score(0.6 + 0.1 * noise(i)), 62);
    const facts = await checkBake(db, { experimentId: bake.experimentId, asOf: at(70) });
    expect(facts).toMatchObject({
      rollback: true,
      summary: expect.stringMatching(/^Worse than before: the difference -0\.4/),
    });
    const [, , change] = await routeChanges(db, test.model);
    expect(change).toMatchObject({ action: 'promote', evidence: { forced: true } });
    expect(await misfits(test.model)).toEqual([]);
  });

  it('is planned for in its own unit', async () => {
    const metrics = [{ kind: 'latency' as const }];
    const model = await seedModel(db, {
      policy: {
        experiment: { ...quickPolicy('m').experiment, primary: 'latency', metrics, min_effect: 5, target_effect: 20 },
      },
    });
    await insertInteractions(
      db,
      Array.from({ length: 400 }, (_, i) => ({
        ...{
          model,
          version: 1,
          subject: subjectOf(`p${i}`),
          askedAt: at(-100 + i / 4.5),
          latencyMs: 200 + (i % 2) * 100,
        },
      })),
    );
    const policy = parsePolicy((await db.prisma.model.findUniqueOrThrow({ where: { name: model } })).policy);
    const report = await planFromTraffic(db, policy, at(0));
    expect(report.traffic).toMatchObject({ positive: expect.closeTo(250, 6), design: null });
    expect(report.traffic.variance).toBeCloseTo(2_500, -1.2);
    // Two-sided 5 %, 80 %: about (2.8/20)² of information, and 4·σ² of outcomes for each at a share of one half.
    const { outcomes, detectable } = report.plan!;
    expect(outcomes.champion).toBeGreaterThan(2 * 2_500 * (2.8 / 20) ** 2 * 0.95);
    expect(outcomes.champion).toBeLessThan(2 * 2_500 * (2.8 / 20) ** 2 * 1.2);
    expect(detectable).toBeGreaterThan(5);
    expect(report.effects.map(({ effect }) => effect)).toContain(40);
  });
});

describe('a primary metric that is a share', () => {
  it('counts as good what was not corrected', async () => {
    const metrics = [{ kind: 'correction_rate' as const }];
    const test = await started({ primary: 'correction_rate', metrics });
    const corrected =
      (often: number) =>
      (i: number): Asked =>
        noise(i) < often ? { said: [['correction', { value: 'no' }]] } : {};
    await ask(test, 'champion', 1, corrected(0.5));
    await ask(test, 'challenger', 2, corrected(0.1));
    const facts = await look(test.experimentId);
    expect(facts).toMatchObject({ decision: 'promote', champion: { n: 180 }, challenger: { n: 180 } });
    expect(facts.summary).toMatch(
      /^Better\. correction_rate \(less is better\): challenger 10\.0% of 180, champion 50\.0% of 180: -40\.0 pp, 95% interval -\d\d\.\d to -\d\d\.\d,/,
    );
    const { figures } = await lookOf(test.experimentId);
    expect(figures.metrics).toMatchObject([
      { name: 'correction_rate', type: 'share', better: 'lower', champion: { n: 180 } },
    ]);
    expect(figures.delta).toBeCloseTo(-figures.metrics![0]!.delta!, 9);
    expect(await misfits(test.model)).toEqual([]);
  });
});

describe('the declared metrics at a look', () => {
  it('are all there, and unknown where nothing was measured', async () => {
    const metrics: Section['metrics'] = [
      { kind: 'latency' },
      { kind: 'cost_per_answer', prompt_per_million: 1, completion_per_million: 2 },
    ];
    const test = await started({ metrics });
    const asked = (i: number): Asked => ({ latencyMs: 10 + (i % 7), said: [['thumbs', { value: i % 2 ? 1 : -1 }]] });
    await ask(test, 'champion', 1, asked);
    await ask(test, 'challenger', 2, asked);
    expect(await look(test.experimentId)).toMatchObject({ decision: 'wait', reason: 'evidence' });
    const { figures } = await lookOf(test.experimentId);
    const known = { n: 180, subjects: 60, value: expect.closeTo(12.96, 1), interval: { lower: expect.any(Number) } };
    const unknown = { n: 0, subjects: 0, value: null, interval: null };
    expect(figures.metrics).toMatchObject([
      { name: 'latency', champion: known, challenger: known, delta: expect.closeTo(0, 9), p: expect.closeTo(1, 9) },
      { name: 'cost_per_answer', champion: unknown, challenger: unknown, delta: null, interval: null, p: null },
    ]);
    expect(await misfits(test.model)).toEqual([]);
  });

  it('can be guardrails: one that is certainly worse stops the experiment, one that was not measured is not shown', async () => {
    const guarded = (metric: string) => ({
      metrics: [quality, { kind: 'latency' as const }],
      guardrails: [{ metric, margin: 0.05 }],
    });
    const asked =
      (better: number, good: number) =>
      (i: number): Asked => ({
        said: [['thumbs', { value: noise(i) < better ? 1 : -1 }], ...score(good + 0.1 * noise(i + 3)).said!],
      });
    const worse = await started(guarded('quality'));
    await ask(worse, 'champion', 1, asked(0.4, 0.6));
    await ask(worse, 'challenger', 2, asked(0.9, 0.4));
    const judged = await judgeExperiment(db, await readExperiment(db, worse.experimentId), at(30));
    expect(judged).toMatchObject({ stop: true, reason: 'guardrail' });
    expect(judged.summary).toMatch(
      /^Guardrail quality: worse by at least 0\.1\d+, allowed 0\.05; measured on 180, champion on 180$/,
    );
    expect(await look(worse.experimentId)).toMatchObject({ decision: 'reject', reason: 'guardrail' });

    const alike = await started(guarded('quality'));
    await ask(alike, 'champion', 1, asked(0.4, 0.6));
    await ask(alike, 'challenger', 2, asked(0.9, 0.6));
    expect(await look(alike.experimentId)).toMatchObject({ decision: 'promote' });

    const unknown = await started(guarded('latency'));
    await ask(unknown, 'champion', 1, asked(0.4, 0.6));
    await ask(unknown, 'challenger', 2, asked(0.9, 0.6));
    expect(await look(unknown.experimentId)).toMatchObject({ decision: 'wait', reason: 'evidence' });
    const { figures } = await lookOf(unknown.experimentId);
    expect(figures.harm.guardrails).toMatchObject([
      { metric: 'latency', shown: false, tripped: false, delta: null, upper: null },
    ]);
    expect(await misfits(unknown.model)).toEqual([]);
  });
});
