import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { createDb } from '../../src/db/index.js';
import {
  championHistory,
  checkBake,
  judgeExperiment,
  promote,
  readExperiment,
  rollBack,
  startExperiment,
  takeLook,
} from '../../src/experiments/index.js';
import { isInSecondArm, readRoute } from '../../src/routing/index.js';
import { useTestDatabase } from '../support/database.js';
import {
  at,
  fillArm,
  insertExposures,
  insertFeedback,
  insertInteractions,
  routeChanges,
  seedCycle,
  seedModel,
  subjectOf,
} from '../support/experiment-data.js';

/** What earlier systems of this kind did wrong, one test for each. */
const database = await useTestDatabase();
const { db } = database;

const run = promisify(execFile);

async function started() {
  const model = await seedModel(db);
  const cycleId = await seedCycle(db, model, at(-10));
  const facts = await startExperiment(db, { cycleId, candidate: 2, expectedEpoch: 1, asOf: at(0) });
  if (facts.routeChanged) throw new Error('the route was changed');
  return { model, cycleId, experimentId: facts.experimentId };
}

async function traffic(
  { model, experimentId }: { model: string; experimentId: string },
  positives: { champion: number; challenger: number },
  failed = 0,
) {
  const common = { model, experimentId, subjects: 100, from: at(1) };
  await fillArm(db, { ...common, arm: 'champion', version: 1, positives: positives.champion });
  await fillArm(db, { ...common, arm: 'challenger', version: 2, positives: positives.challenger, failed });
}

const byCycle = { actor: 'cycle', reason: 'significant', forced: false };

describe('metrics are kept per version', () => {
  it('what people thought of one version says nothing about another one, also of the same model and subject', async () => {
    const model = await seedModel(db);
    for (const [version, value] of [
      [1, 1],
      [2, -1],
    ] as const) {
      const asked = Array.from({ length: 40 }, (_, i) => ({
        ...{ model, version, assignedVersion: version, subject: subjectOf(`p${i % 10}`), askedAt: at(-100 + i) },
      }));
      const ids = await insertInteractions(db, asked);
      // One in ten is of the other opinion: with none there is no spread to know.
      const opinions = ids.map((interactionId, i) => ({
        ...{ interactionId, kind: 'thumbs', body: { value: i % 10 === 0 ? -value : value }, receivedAt: at(-10) },
      }));
      await insertFeedback(db, opinions);
    }
    const settings = { experiment: { primary: 'positive_feedback' }, min_rating: 0.75 };
    const history = (version: number) => championHistory(db, { model, version, asOf: at(0), settings });
    expect((await history(1))?.p0).toBeCloseTo(0.9, 12);
    expect((await history(2))?.p0).toBeCloseTo(0.1, 12);
  });
});

describe('rates have the right denominator', () => {
  it('liked of what was rated, failed of what was asked, and nobody twice', async () => {
    const test = await started();
    const { model, experimentId } = test;
    await traffic(test, { champion: 250, challenger: 300 }, 20);
    // As many again on the challenger's side whom nobody rated.
    const asked = Array.from({ length: 500 }, (_, i) => ({
      ...{ model, experimentId, arm: 'challenger' as const, assignedVersion: 2, askedAt: at(2 + (i % 5)) },
      subject: subjectOf(`${experimentId}/challenger/${i % 100}`),
    }));
    await insertInteractions(db, asked);
    await takeLook(db, { experimentId, k: 1, asOf: at(60), isLast: false });
    const { challenger } = await db.prisma.look.findFirstOrThrow({ where: { experimentId } });
    // n: with an opinion, E: asked in the cut, requests: all; subjects once.
    expect(challenger).toMatchObject({ n: 500, x: 300, E: 1_000, requests: 1_000, errors: 20, N: 100, O: 100 });
  });
});

describe('state survives restarts', () => {
  it('a look, its experiment and the route read the same to a process that was not there, which can go on with them', async () => {
    const test = await started();
    await traffic(test, { champion: 250, challenger: 325 });
    const { experimentId, model } = test;
    const look = await takeLook(db, { experimentId, k: 1, asOf: at(60), isLast: false });
    const other = createDb(database.url, { max: 1 });
    try {
      expect(await takeLook(other, { experimentId, k: 1, asOf: at(90), isLast: false })).toEqual(look);
      expect(await readExperiment(other, experimentId)).toEqual(await readExperiment(db, experimentId));
      expect(await readRoute(other, model)).toEqual(await readRoute(db, model));
      const promoted = await promote(other, { experimentId, expectedEpoch: 2, ...byCycle, asOf: at(61) });
      expect(promoted).toMatchObject({ epoch: 3 });
    } finally {
      await other.close();
    }
  });
});

describe('assignment is sticky', () => {
  it('in any order, between any other questions, and in a process that has just started', async () => {
    const experiments = ['0b2f7c3e-6f5f-4c0a-9d7e-2b0a44b1d101', '5c9d1f80-33a1-4e43-8a53-0f6b7d2c9e02'];
    const shares = [0.1, 0.3, 0.5];
    const asked = Array.from({ length: 600 }, (_, i) => ({
      ...{ experiment: experiments[i % 2]!, share: shares[i % 3]!, subject: subjectOf(`person-${i}`) },
    }));
    type Question = (typeof asked)[number];
    const arm = ({ experiment, subject, share }: Question) => isInSecondArm(experiment, subject, share);
    const here = asked.map(arm);
    const backwards = asked.toReversed().map(arm).toReversed();
    expect(backwards).toEqual(here);
    const between = asked.map((question, i) => {
      arm(asked[(i * 7) % asked.length]!);
      return arm(question);
    });
    expect(between).toEqual(here);
    // The program that is deployed, without anything that this one may have remembered.
    const program = `import { isInSecondArm } from './dist/src/routing/index.js';
      const asked = JSON.parse(process.argv[1]);
      console.log(JSON.stringify(asked.map((q) => isInSecondArm(q.experiment, q.subject, q.share))));`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program, JSON.stringify(asked)]);
    expect(JSON.parse(stdout)).toEqual(here);
    expect(here.filter(Boolean).length).toBeGreaterThan(100);
  });
});

describe('nobody peeks', () => {
  it('the watch loop may judge as often as it likes: a better challenger is promoted by no judgement but a planned look', async () => {
    const test = await started();
    await traffic(test, { champion: 100, challenger: 499 });
    const experiment = await readExperiment(db, test.experimentId);
    for (let second = 2; second < 60; second += 7) {
      expect(await judgeExperiment(db, experiment, at(second))).toMatchObject({ stop: false, reason: null });
    }
    // Before its time a look waits, whatever the numbers are; and the one taken at its time is not taken again.
    const early = await takeLook(db, { experimentId: test.experimentId, k: 1, asOf: at(59), isLast: false });
    expect(early).toMatchObject({ decision: 'wait', tested: false });
    const again = await takeLook(db, { experimentId: test.experimentId, k: 1, asOf: at(61), isLast: false });
    expect(again).toEqual(early);
    const order = { experimentId: test.experimentId, expectedEpoch: 2, ...byCycle, asOf: at(59) };
    await expect(promote(db, order)).rejects.toMatchObject({ code: 'promotion_too_early' });
    expect(await readRoute(db, test.model)).toMatchObject({ champion: 1, challenger: 2 });
  });
});

describe('a missing metric is unknown and never healthy', () => {
  it('without ratings nothing is better, nothing is held to be safe, and the champion stays', async () => {
    const test = await started();
    const { model, experimentId } = test;
    const exposures = [];
    const interactions = [];
    for (const [i, arm] of (['champion', 'challenger'] as const).entries()) {
      for (let person = 0; person < 100; person++) {
        const subject = subjectOf(`${arm}-${person}`);
        exposures.push({ experimentId, subject, arm, version: i + 1, exposedAt: at(1) });
        interactions.push({ model, experimentId, arm, subject, askedAt: at(2), assignedVersion: i + 1 });
      }
    }
    await insertExposures(db, exposures);
    await insertInteractions(db, interactions);
    const judged = await judgeExperiment(db, await readExperiment(db, experimentId), at(30));
    expect({ ...judged, evidence: judged.evidence() }).toMatchObject({
      stop: false,
      evidence: { interval: [null, null] },
    });
    expect(await takeLook(db, { experimentId, k: 1, asOf: at(60), isLast: false })).toMatchObject({
      ...{ decision: 'wait', tested: false, challenger: { n: 0, x: 0 } },
    });
    const { evidence } = await db.prisma.look.findFirstOrThrow({ where: { experimentId } });
    const { figures } = evidence as { figures: { delta: unknown; harm: { U: unknown } } };
    expect(figures).toMatchObject({ delta: null, harm: { U: null } });
    const last = await takeLook(db, { experimentId, k: 3, asOf: at(180), isLast: true });
    expect(last).toMatchObject({ decision: 'inconclusive', reason: 'not_enough_data' });
  });

  it('without requests the guardrail of a challenger is not shown, however good its few answers are', async () => {
    const test = await started();
    await fillArm(db, {
      ...{ model: test.model, experimentId: test.experimentId, arm: 'champion', version: 1 },
      ...{ subjects: 100, positives: 250, from: at(1) },
    });
    await takeLook(db, { experimentId: test.experimentId, k: 1, asOf: at(60), isLast: false });
    const { evidence } = await db.prisma.look.findFirstOrThrow({ where: { experimentId: test.experimentId } });
    const { figures } = evidence as { figures: { harm: { guardrails: object[] } } };
    expect(figures.harm.guardrails).not.toEqual([]);
    for (const guardrail of figures.harm.guardrails) expect(guardrail).toMatchObject({ delta: null, shown: false });
  });

  it('a bake that nobody rated says so', async () => {
    const test = await started();
    await traffic(test, { champion: 250, challenger: 325 });
    await takeLook(db, { experimentId: test.experimentId, k: 1, asOf: at(60), isLast: false });
    const promoted = await promote(db, {
      ...{ experimentId: test.experimentId, expectedEpoch: 2, ...byCycle, asOf: at(61) },
    });
    const { bakeExperimentId } = promoted as { bakeExperimentId: string };
    const { summary, rollback } = await checkBake(db, { experimentId: bakeExperimentId, asOf: at(121) });
    expect(rollback).toBe(false);
    expect(summary).toMatch(/^Too early to judge/);
  });
});

describe('the second rollback', () => {
  it('goes one version further back by the history of the route, though the version it comes to is the oldest by date', async () => {
    const model = await seedModel(db, { versions: 4 });
    const deps = { db, loadVersion: async () => {} };
    const by = (requestId: string, toVersion?: number) => ({
      ...{ model, actor: 'ada', reason: 'worse', requestId },
      ...(toVersion !== undefined && { toVersion }),
    });
    // In charge in this order: 1, 4, 2, 3.
    for (const version of [4, 2, 3]) await rollBack(deps, by(`to ${version}`, version));
    expect((await rollBack(deps, by('first'))).toVersion).toBe(2);
    expect((await rollBack(deps, by('second'))).toVersion).toBe(4);
    expect((await rollBack(deps, by('third'))).toVersion).toBe(1);
    await expect(rollBack(deps, by('fourth'))).rejects.toMatchObject({ code: 'nothing_to_roll_back' });
    expect((await routeChanges(db, model)).map(({ after }) => (after as { champion: number }).champion)).toEqual([
      1, 4, 2, 3, 2, 4, 1,
    ]);
  });
});

describe('promotion and the end of the experiment are one transaction', () => {
  it('whoever looks meanwhile sees both or neither', async () => {
    const test = await started();
    await traffic(test, { champion: 250, challenger: 325 });
    const { experimentId, model } = test;
    await takeLook(db, { experimentId, k: 1, asOf: at(60), isLast: false });
    const seen = new Set<string>();
    let over = false;
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    const look = async () => {
      const { rows } = await client.query<{ seen: string }>(
        `SELECT concat_ws(' ', r.champion, r.experiment_id = $2::uuid, e.decision,
                (SELECT count(*) FROM experiments WHERE model = $1 AND kind = 'bake'),
                (SELECT count(*) FROM route_changes WHERE model = $1)) AS seen
           FROM routes r, experiments e WHERE r.model = $1 AND e.id = $2::uuid`,
        [model, experimentId],
      );
      seen.add(rows[0]!.seen);
    };
    const watching = (async () => {
      while (!over) await look();
    })();
    await promote(db, { experimentId, expectedEpoch: 2, ...byCycle, asOf: at(61) });
    over = true;
    await watching;
    await look();
    await client.end();
    expect([...seen].sort()).toEqual(['1 t 0 2', '2 f promote 1 3']);
  });

  it('when the route change cannot be written, the experiment goes on and there is no bake', async () => {
    const test = await started();
    await traffic(test, { champion: 250, challenger: 325 });
    const { experimentId, model } = test;
    await takeLook(db, { experimentId, k: 1, asOf: at(60), isLast: false });
    const order = { experimentId, expectedEpoch: 2, ...byCycle, asOf: at(61) };
    await db.pool.query(`CREATE FUNCTION no_promotion() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.action = 'promote' THEN RAISE 'the disk is full' USING ERRCODE = '53100'; END IF; RETURN NEW; END $$;
      CREATE TRIGGER no_promotion BEFORE INSERT ON route_changes FOR EACH ROW EXECUTE FUNCTION no_promotion()`);
    try {
      await expect(promote(db, order)).rejects.toThrow();
    } finally {
      await db.pool.query('DROP TRIGGER no_promotion ON route_changes; DROP FUNCTION no_promotion');
    }
    expect(await readRoute(db, model)).toMatchObject({ epoch: 2, champion: 1, challenger: 2, experimentId });
    expect(await readExperiment(db, experimentId)).toMatchObject({ endedAt: null, decision: null });
    expect(await db.prisma.experiment.count({ where: { model, kind: 'bake' } })).toBe(0);
    expect(await promote(db, order)).toMatchObject({ epoch: 3 });
  });
});
