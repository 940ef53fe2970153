import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { exploreEffect, startExperiment, takeLook } from '../../src/experiments/index.js';
import type { PolicyDocument } from '../../src/policy/index.js';
import { compareComposites, cuped, noveltySlice, type SubjectMetrics, sumMetrics } from '../../src/stats/index.js';
import { useTestDatabase } from '../support/database.js';
import {
  at,
  insertExposures,
  insertFeedback,
  insertInteractions,
  quickPolicy,
  type SeededFeedback,
  type SeededInteraction,
  seedCycle,
  seedModel,
  subjectOf,
  uuid7,
} from '../support/experiment-data.js';

const database = await useTestDatabase();
const { db } = database;

/** Something between 0 and 1 that looks like chance and never changes. */
const noise = (i: number) => ((i * 7919 + 13) % 101) / 101;

interface Person {
  arm: 'champion' | 'challenger';
  late: boolean;
  now: number[];
  before: number[];
}

/** Everybody has a mood of their own, before and in the experiment. Every third was never here before. */
const people: Person[] = Array.from({ length: 120 }, (_, p) => {
  const [arm, late, mood] = [p % 2 === 0 ? ('champion' as const) : ('challenger' as const), p % 5 < 2, noise(p)];
  const better = arm === 'challenger' ? (late ? 0.02 : 0.1) : 0;
  return {
    ...{ arm, late },
    now: [0, 1].map((i) => mood + better + 0.1 * noise(p * 3 + i)),
    before: p % 3 === 0 ? [] : [0, 1, 2].slice(p % 2).map((i) => mood + 0.1 * noise(p * 7 + i)),
  };
});

async function seed(experiment: Partial<NonNullable<PolicyDocument['experiment']>>, of = people) {
  const model = await seedModel(db, {
    policy: { experiment: { ...quickPolicy('m').experiment, ...experiment } as PolicyDocument['experiment'] },
  });
  const cycleId = await seedCycle(db, model, at(-10));
  const { experimentId } = (await startExperiment(db, {
    ...{ cycleId, candidate: 2, expectedEpoch: 1, asOf: at(0) },
  })) as { experimentId: string };
  const interactions: SeededInteraction[] = [];
  const feedback: SeededFeedback[] = [];
  const exposures = of.map(({ arm, late, now, before }, p) => {
    const subject = subjectOf(`${experimentId}/${p}`);
    const exposedAt = at(late ? 40 : 1);
    const say = (askedAt: Date, value: number, in_: Partial<SeededInteraction>, heardAt = askedAt) => {
      const id = uuid7(askedAt);
      interactions.push({ id, model, subject, askedAt, ...in_ });
      feedback.push({
        ...{ interactionId: id, kind: 'score', body: { name: 'quality', value }, source: 'judge', receivedAt: heardAt },
      });
    };
    for (const value of now) say(exposedAt, value, { experimentId, arm, assignedVersion: arm === 'champion' ? 1 : 2 });
    for (const value of before) say(at(-86_400), value, { assignedVersion: 1 });
    // Neither of these is history: too long ago, and told only when the experiment was on.
    say(at(-31 * 86_400), 50, { assignedVersion: 1 });
    say(at(-3_600), 50, { assignedVersion: 1 }, at(2));
    return { experimentId, subject, arm, version: arm === 'champion' ? 1 : 2, exposedAt };
  });
  await insertExposures(db, exposures);
  await insertInteractions(db, interactions);
  await insertFeedback(db, feedback);
  return { model, experimentId };
}

const total = (values: number[]) => ({ x: values.reduce((sum, value) => sum + value, 0), m: values.length });
const sums = (of: (person: Person) => boolean, columns: (person: Person) => SubjectMetrics) =>
  sumMetrics(people.filter(of).map(columns), columns(people[0]!).length === 1 ? [0] : [0, 0]);
const both = ({ now, before }: Person) => [total(now), total(before)];
const once = ({ now }: Person) => [total(now)];

const scores = { primary: 'quality', metrics: [{ kind: 'score' as const, name: 'quality', score: 'quality' }] };

describe('an experiment in other lights', () => {
  it('is what the formulas say of the people who were in it and of what they were like before', async () => {
    const { model, experimentId } = await seed(scores);
    await takeLook(db, { experimentId, k: 1, asOf: at(60), isLast: true });
    const { boundary } = await db.prisma.look.findFirstOrThrow({ where: { experimentId } });
    const explored = await exploreEffect(db, model);
    expect(explored).toMatchObject({
      ...{
        id: experimentId,
        kind: 'ab',
        champion: 1,
        challenger: 2,
        primary: 'quality',
        look: 1,
        asOf: at(60),
        boundary,
      },
      plain: { subjects: { champion: 60, challenger: 60 } },
      adjusted: { days: 30, subjects: { champion: 40, challenger: 40 } },
      novelty: { lateFrom: at(25), late: { subjects: { champion: 24, challenger: 24 } } },
    });

    const arm = (name: string) => (person: Person) => person.arm === name;
    const plain = compareComposites(sums(arm('champion'), once), sums(arm('challenger'), once), [1]);
    expect(explored.plain.delta).toBeCloseTo(plain.delta!, 9);
    expect(explored.plain.interval!.lower).toBeCloseTo(plain.delta! - boundary! * plain.se!, 9);

    const adjusted = cuped(sums(arm('champion'), both), sums(arm('challenger'), both));
    expect(explored.adjusted!.theta).toBeCloseTo(adjusted.theta, 9);
    expect(explored.adjusted!.delta).toBeCloseTo(adjusted.delta!, 9);
    expect(explored.adjusted!.interval!.upper).toBeCloseTo(adjusted.delta! + boundary! * adjusted.se!, 9);
    expect(explored.adjusted!.reduction).toBeCloseTo(adjusted.reduction, 9);
    expect(explored.adjusted!.reduction).toBeGreaterThan(0.3);

    const half = (late: boolean) => ({
      champion: sums((person) => person.arm === 'champion' && person.late === late, once),
      challenger: sums((person) => person.arm === 'challenger' && person.late === late, once),
    });
    const novelty = noveltySlice(half(false), half(true));
    expect(explored.novelty.early.delta).toBeCloseTo(novelty.early!, 9);
    expect(explored.novelty.late.delta).toBeCloseTo(novelty.late!, 9);
    expect(explored.novelty.change.interval!.lower).toBeCloseTo(novelty.delta! - boundary! * novelty.se!, 9);
  });

  it('counts less as better where the metric says so', async () => {
    const [more, less] = [
      await seed(scores),
      await seed({ ...scores, metrics: [{ ...scores.metrics[0]!, better: 'lower' as const }] }),
    ];
    const [up, down] = [await exploreEffect(db, more.model), await exploreEffect(db, less.model)];
    expect(up.plain.delta).toBeGreaterThan(0);
    expect(down.plain.delta).toBeCloseTo(-up.plain.delta!, 9);
    expect(down.adjusted!.delta).toBeCloseTo(-up.adjusted!.delta!, 9);
  });

  it('weighs the parts of a composite, before as well as now', async () => {
    const parts = [...scores.metrics, { kind: 'error_rate' as const, name: 'failed' }];
    const made = { kind: 'composite' as const, name: 'both', weights: { quality: 2, failed: -1 } };
    const [simple, composite] = [await seed(scores), await seed({ primary: 'both', metrics: [...parts, made] })];
    const [one, two] = [await exploreEffect(db, simple.model), await exploreEffect(db, composite.model)];
    // Nothing failed.
    expect(two.plain.delta).toBeCloseTo(2 * one.plain.delta!, 9);
    expect(two.adjusted!.delta).toBeCloseTo(2 * one.adjusted!.delta!, 9);
  });

  it('is the A/B test also when its bake is newer, which is shown when it is asked for', async () => {
    const { model, experimentId } = await seed(scores);
    const test = await db.prisma.experiment.findUniqueOrThrow({ where: { id: experimentId } });
    const bake = { ...test, settings: test.settings as object, id: randomUUID(), kind: 'bake', startedAt: at(100) };
    await db.prisma.experiment.update({ where: { id: experimentId }, data: { endedAt: at(90), decision: 'promote' } });
    await db.prisma.experiment.create({ data: { ...bake, champion: 2, challenger: 1 } });
    expect(await exploreEffect(db, model)).toMatchObject({ id: experimentId, asOf: at(90), boundary: null });
    expect(await exploreEffect(db, model, { id: bake.id, now: at(120) })).toMatchObject({
      ...{ kind: 'bake', champion: 1, challenger: 2, asOf: at(120), plain: { delta: null, interval: null } },
    });
  });

  it('says unknown where nobody was here before, nobody came late, or there was no look', async () => {
    const newcomers = people.filter(({ late }) => !late).map((person) => ({ ...person, before: [] }));
    const { model, experimentId } = await seed(scores, newcomers);
    const explored = await exploreEffect(db, model, { now: at(60), id: experimentId });
    expect(explored).toMatchObject({
      ...{ look: null, boundary: null, asOf: at(60), adjusted: null, plain: { interval: null } },
      novelty: {
        late: { delta: null, subjects: { champion: 0, challenger: 0 } },
        change: { delta: null, interval: null },
      },
    });
    expect(explored.plain.delta).toBeGreaterThan(0);
    expect(explored.novelty.early.delta).toBeCloseTo(explored.plain.delta!, 12);
    await expect(exploreEffect(db, 'nobody')).rejects.toMatchObject({ code: 'unknown_model' });
  });
});
