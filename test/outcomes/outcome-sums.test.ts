import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CutRequest, readArms, recountArms } from '../../src/experiments/index.js';
import {
  hashSubject,
  newId,
  recordExposures,
  storeCaptured,
  storeFeedback,
  storeInteractions,
} from '../../src/interactions/index.js';
import { dropOutcomes, foldOutcomes, keepOutcomes, type OutcomeTerms } from '../../src/outcomes/index.js';
import { isInSecondArm } from '../../src/routing/index.js';
import { useTestDatabase } from '../support/database.js';
import {
  insertExposures,
  insertFeedback,
  insertInteractions,
  seedCycle,
  seedModel,
  subjectOf,
  uuid7,
} from '../support/experiment-data.js';

const database = await useTestDatabase();
const { db } = database;

const START = Date.parse('2026-11-20T12:00:00Z');
/** Seconds after the start. */
const at = (seconds: number) => new Date(START + seconds * 1_000);
const WINDOW_MS = 20_000;
const MIN_RATING = 0.75;
const KEY = 'k'.repeat(32);

/** A live experiment of a model of its own; its sums are kept unless `kept` says otherwise. */
async function liveExperiment({ kept = true } = {}): Promise<{ model: string; experimentId: string }> {
  const model = await seedModel(db);
  const cycleId = await seedCycle(db, model);
  const experimentId = randomUUID();
  await db.prisma.experiment.create({
    data: {
      ...{ id: experimentId, model, cycleId, kind: 'ab', champion: 1, challenger: 2, share: 0.5 },
      ...{ settings: {}, policyDigest: '', sandbox: true, p0: 0.5, d0: 1, i0: 1 },
      ...{ startedAt: at(0), minEndsAt: at(100), maxEndsAt: at(200) },
    },
  });
  if (kept) await keep(experimentId);
  return { model, experimentId };
}

const RATED: OutcomeTerms = { minRating: MIN_RATING };
const TERMS: OutcomeTerms[] = [
  RATED,
  { ...RATED, primary: { kind: 'correction_rate', name: 'corrected' } },
  { ...RATED, primary: { kind: 'error_rate', name: 'error_rate' } },
  { ...RATED, primary: { kind: 'slow_rate', name: 'slow', max_ratio: 1.5 }, slowLimits: { slow: 50 } },
  { ...RATED, primary: { kind: 'accuracy', name: 'right', field: null, sources: ['user'] } },
  { ...RATED, primary: { kind: 'score', name: 'q', score: 'q', better: 'higher', range: null } },
];

const keep = (experimentId: string, terms = RATED) =>
  keepOutcomes(
    db,
    [0, WINDOW_MS].map((feedbackWindowMs) => ({ experimentId, feedbackWindowMs, terms })),
  );

function cutAt(experimentId: string, asOf: Date, feedbackWindowMs: number, terms = RATED): CutRequest {
  return { experimentId, secondArm: 'challenger', asOf, feedbackWindowMs, ...terms };
}

async function expectAlike(experimentId: string, asOf: Date, feedbackWindowMs: number, terms = RATED): Promise<void> {
  const request = cutAt(experimentId, asOf, feedbackWindowMs, terms);
  const bySums = await readArms(db, request);
  expect(bySums.from).toBe('sums');
  expect({ ...bySums, from: 'rows' }).toEqual(await recountArms(db, request));
}

const noted = async (experimentId: string) => {
  const { rows } = await db.pool.query<{ n: number }>(
    'SELECT count(*)::int AS n FROM outcome_changes WHERE experiment_id = $1',
    [experimentId],
  );
  return rows[0]!.n;
};

describe('the sums of an experiment', () => {
  it('are what a recount finds, whatever happened in whatever order, whenever it was folded, at any T', async () => {
    const seconds = fc.integer({ min: 0, max: 120 });
    const subject = fc.constantFrom('a', 'b', 'c', 'd');
    const arm = fc.constantFrom('champion' as const, 'challenger' as const);
    const nth = fc.nat(200);
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ do: fc.constant('expose' as const), subject, arm, seconds }) },
      {
        weight: 6,
        arbitrary: fc.record({
          ...{ do: fc.constant('ask' as const), subject, arm, seconds },
          ...{ late: fc.integer({ min: -5, max: 60 }), failed: fc.boolean() },
        }),
      },
      {
        weight: 6,
        arbitrary: fc.record({
          ...{ do: fc.constant('say' as const), nth, seconds, value: fc.constantFrom(-1, 0, 1) },
          kind: fc.constantFrom('thumbs', 'correction', 'score'),
        }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('retract' as const), nth, seconds }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('erase' as const), subject }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('again' as const) }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('fold' as const), seconds }) },
      { weight: 4, arbitrary: fc.record({ do: fc.constant('look' as const), seconds, window: fc.boolean() }) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 40 }),
        fc.constantFrom(...TERMS),
        async (steps, terms) => {
          const { model, experimentId } = await liveExperiment({ kept: false });
          const keepTerms = () => keep(experimentId, terms);
          if (steps.length % 2 === 0) await keepTerms();
          const asked: string[] = [];
          const said: string[] = [];
          for (const step of steps) {
            switch (step.do) {
              case 'expose':
                await recordExposures(db, [
                  {
                    experimentId,
                    subject: subjectOf(step.subject),
                    arm: step.arm,
                    version: 1,
                    exposedAt: at(step.seconds),
                  },
                ]);
                break;
              case 'ask':
                asked.push(
                  ...(await insertInteractions(db, [
                    {
                      ...{ model, experimentId, arm: step.arm, subject: subjectOf(step.subject) },
                      ...{ askedAt: at(step.seconds), receivedAt: at(step.seconds + step.late) },
                      status: step.failed ? 'failed' : 'complete',
                      latencyMs: 50 + step.late,
                    },
                  ])),
                );
                break;
              case 'say': {
                const interactionId = asked[step.nth % asked.length];
                if (interactionId === undefined) break;
                const id = uuid7(at(step.seconds));
                const { kind } = step;
                const words = step.value > 0 ? 'an answer' : 'other words';
                const body = { name: 'q', value: kind === 'correction' ? words : step.value };
                await insertFeedback(db, [{ id, interactionId, kind, body, receivedAt: at(step.seconds) }]);
                said.push(id);
                break;
              }
              case 'retract':
                await db.pool.query('UPDATE feedback SET retracted_at = $2 WHERE id = $1 AND retracted_at IS NULL', [
                  said[step.nth % said.length] ?? randomUUID(),
                  at(step.seconds),
                ]);
                break;
              case 'erase':
                for (const table of ['interactions', 'exposures']) {
                  await db.pool.query(`DELETE FROM ${table} WHERE experiment_id = $1 AND subject = $2`, [
                    experimentId,
                    subjectOf(step.subject),
                  ]);
                }
                break;
              case 'again':
                await dropOutcomes(db, experimentId);
                await keepTerms();
                break;
              case 'fold':
                await keepTerms();
                await foldOutcomes(db, { asOf: at(step.seconds) });
                expect(await noted(experimentId)).toBe(0);
                break;
              case 'look':
                await keepTerms();
                await expectAlike(experimentId, at(step.seconds), step.window ? WINDOW_MS : 0, terms);
                break;
            }
          }
          await keepTerms();
          for (const T of [40, 90, 200]) {
            for (const window of [0, WINDOW_MS]) await expectAlike(experimentId, at(T), window, terms);
          }
          await db.prisma.experiment.update({
            where: { id: experimentId },
            data: { endedAt: at(0), decision: 'undone' },
          });
        },
      ),
      { numRuns: 12 },
    );
  });

  it('hold from one moment to the next, and not a moment longer: folded at any time they are read right at any other', async () => {
    const { model, experimentId } = await liveExperiment({ kept: false });
    const [early, late, ahead] = [at(20), at(12), at(70)].map(uuid7) as [string, string, string];
    const exposure = { experimentId, subject: subjectOf('a'), arm: 'champion' as const };
    await insertExposures(db, [
      { ...exposure, exposedAt: at(10) },
      { ...exposure, subject: subjectOf('b'), exposedAt: at(30) },
      { ...exposure, subject: subjectOf('c'), exposedAt: at(10) },
      // In both arms from here on.
      { ...exposure, subject: subjectOf('b'), arm: 'challenger', exposedAt: at(100) },
    ]);
    const asked = { model, experimentId, arm: 'champion' as const, subject: subjectOf('a') };
    await insertInteractions(db, [
      { ...asked, id: early, askedAt: at(20) },
      // Received long after, and by a clock that is ahead long before it was asked.
      { ...asked, id: late, askedAt: at(12), receivedAt: at(58), status: 'failed', subject: subjectOf('c') },
      { ...asked, id: ahead, askedAt: at(70), receivedAt: at(36), subject: subjectOf('b') },
    ]);
    const thumbs = { kind: 'thumbs', body: { value: 1 } };
    await insertFeedback(db, [
      { ...thumbs, interactionId: early, receivedAt: at(44), retractedAt: at(84) },
      { ...thumbs, interactionId: late, receivedAt: at(66), body: { value: -1 } },
      { ...thumbs, interactionId: ahead, receivedAt: at(92) },
    ]);
    const looks = [0, 10, 25, 35, 40, 50, 57, 60, 67, 72, 82, 86, 91, 95, 101].flatMap((T) =>
      [0, WINDOW_MS].map((window) => cutAt(experimentId, at(T), window)),
    );
    const expected = await Promise.all(looks.map((look) => recountArms(db, look)));
    expect(new Set(expected.map(({ champion }) => JSON.stringify(champion))).size).toBeGreaterThan(12);
    for (const folded of [0, 33, 61, 83, 110]) {
      await dropOutcomes(db, experimentId);
      await keep(experimentId);
      await foldOutcomes(db, { asOf: at(folded) });
      const read = await Promise.all(looks.map((look) => readArms(db, look)));
      expect(read.map((cut) => ({ ...cut, from: 'rows' }))).toEqual(expected);
      expect(new Set(read.map(({ from }) => from))).toEqual(new Set(['sums']));
    }
  });

  it('are read with everything that arrives by the doors of the product, before and after it is folded', async () => {
    const { model, experimentId } = await liveExperiment();
    const now = () => new Date();
    const alike = async () => {
      for (const window of [0, WINDOW_MS]) await expectAlike(experimentId, now(), window);
      const { champion } = await readArms(db, cutAt(experimentId, now(), 0));
      return champion;
    };
    // Posted interactions get the arm that is computed: one of the champion's.
    const name = [...'abcdefghijkl'].find((letter) => !isInSecondArm(experimentId, hashSubject(KEY, letter), 0.5))!;
    const subject = hashSubject(KEY, name);
    const exposure = { experimentId, subject, arm: 'champion' as const, version: 1 };
    await recordExposures(db, [{ ...exposure, exposedAt: at(10) }]);
    await recordExposures(db, [{ ...exposure, exposedAt: at(5) }]);
    expect(await alike()).toMatchObject({ O: 1, S: 0 });

    const captured = (id: string, more: object = {}) => ({
      ...{ id, model, askedAt: at(20), subject, session: null, experimentId, arm: 'champion' as const },
      ...{
        assignedVersion: 1,
        version: 1,
        status: 'complete' as const,
        request: {},
        response: {},
        latencyMs: 1,
        tags: {},
      },
      ...more,
    });
    const [id, failed] = [newId(at(20)), newId(at(21))];
    await storeCaptured(db, [captured(id), captured(failed, { status: 'failed', response: null })]);
    expect(await alike()).toMatchObject({ E: 2, requests: 2, errors: 1 });
    await foldOutcomes(db, { asOf: now() });
    // Sent again: the last attempt takes the place of the first.
    await storeCaptured(db, [captured(failed, { attempt: 2 })]);
    expect(await alike()).toMatchObject({ E: 2, requests: 2, errors: 0 });

    const said = randomUUID();
    const thumbs = { id: said, interaction: id, kind: 'thumbs', value: 1 };
    await storeFeedback(db, [thumbs]);
    expect(await alike()).toMatchObject({ n: 1, x: 1 });
    await foldOutcomes(db, { asOf: now() });
    await storeFeedback(db, [{ ...thumbs, retracted: true }]);
    expect(await alike()).toMatchObject({ n: 0, x: 0 });

    // Feedback that was there first waits for its interaction, under its name or its id.
    const later = newId(at(30));
    await storeFeedback(db, [
      { model, external_id: 'e-1', kind: 'thumbs', value: -1 },
      { interaction: later, kind: 'thumbs', value: 1 },
    ]);
    await foldOutcomes(db, { asOf: now() });
    const posted = await storeInteractions(db, KEY, [
      {
        ...{ external_id: 'e-1', model, timestamp: at(25).toISOString(), subject: name, version: 1 },
        ...{
          request: { messages: [{ role: 'user', content: 'a question' }] },
          response: { choices: [{ message: { content: 'an answer' } }] },
          feedback: [{ kind: 'rating', value: 1, min: 1, max: 5 }],
        },
      },
    ]);
    expect(posted).toMatchObject([{ status: 'stored' }]);
    expect(await alike()).toMatchObject({ E: 3, n: 1, x: 0 });
    await foldOutcomes(db, { asOf: now() });
    await storeCaptured(db, [captured(later, { askedAt: at(30) })]);
    expect(await alike()).toMatchObject({ E: 4, n: 2, x: 1 });
    await foldOutcomes(db, { asOf: now() });
    expect(await noted(experimentId)).toBe(0);
    expect(await alike()).toMatchObject({ E: 4, n: 2, x: 1 });
  });

  it('are the rows of every snapshot while many write and many fold', async () => {
    const { model, experimentId } = await liveExperiment();
    let writing = 4;
    const write = async (writer: number) => {
      for (let turn = 0; turn < 12; turn++) {
        const subject = subjectOf(`${turn % 3}`);
        const arm = turn % 3 === 0 ? ('challenger' as const) : ('champion' as const);
        const askedAt = new Date();
        const id = newId(askedAt);
        await recordExposures(db, [
          { experimentId, subject, arm, version: 1, exposedAt: new Date(askedAt.getTime() - writer) },
        ]);
        const feedback = () => storeFeedback(db, [{ interaction: id, kind: 'thumbs', value: turn % 2 === 0 ? 1 : -1 }]);
        const capture = () =>
          storeCaptured(db, [
            {
              ...{ id, model, askedAt, subject, session: null, experimentId, arm, assignedVersion: 1, version: 1 },
              ...{ status: 'complete', request: {}, response: {}, latencyMs: 1, tags: {} },
            },
          ]);
        // Whoever commits first.
        await Promise.all([feedback(), capture()]);
      }
      writing -= 1;
    };
    const fold = async () => {
      while (writing > 0) await foldOutcomes(db, { asOf: new Date() });
    };
    let compared = 0;
    const compare = async () => {
      while (writing > 0) {
        const client = await db.pool.connect();
        await client.query('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ');
        const request = cutAt(experimentId, new Date(), compared % 2 === 0 ? 0 : WINDOW_MS);
        const rows = await recountArms({ pool: client }, request);
        expect({ ...(await readArms({ pool: client }, request)), from: 'rows' }).toEqual(rows);
        compared += 1;
        await client.query('COMMIT');
        client.release();
      }
    };
    await Promise.all([...[1, 2, 3, 4].map(write), fold(), fold(), compare()]);
    expect(compared).toBeGreaterThan(3);
    await foldOutcomes(db, { asOf: new Date() });
    expect(await noted(experimentId)).toBe(0);
    for (const window of [0, WINDOW_MS]) {
      await expectAlike(experimentId, new Date(), window);
      await expectAlike(experimentId, new Date(Date.now() + WINDOW_MS), window);
    }
    expect((await readArms(db, cutAt(experimentId, new Date(), 0))).champion).toMatchObject({ E: 32, n: 32 });
  });

  it('count somebody once of whom much changed, however many changes there are of however few', async () => {
    const { model, experimentId } = await liveExperiment();
    const note = (count: number, of: number) =>
      db.pool.query(
        `INSERT INTO outcome_changes (experiment_id, subject)
         SELECT $1, encode(sha256((n % $3::int)::text::bytea), 'hex') FROM generate_series(1, $2::int) n`,
        [experimentId, count, of],
      );
    await note(45_000, 30);
    await insertExposures(db, [{ experimentId, subject: subjectOf('a'), arm: 'champion', exposedAt: at(1) }]);
    await insertInteractions(db, [
      { model, experimentId, arm: 'champion', subject: subjectOf('a'), askedAt: at(2), assignedVersion: 1 },
    ]);
    await expectAlike(experimentId, at(60), 0);
    expect(await foldOutcomes(db, { asOf: at(60) })).toEqual({ subjects: 31, done: true });
    expect(await noted(experimentId)).toBe(0);
    await expectAlike(experimentId, at(60), 0);

    // More than one statement takes.
    await note(30_000, 6_000);
    expect(await foldOutcomes(db, { asOf: at(60) })).toEqual({ subjects: 6_000, done: true });
    expect(await noted(experimentId)).toBe(0);
    await expectAlike(experimentId, at(60), 0);
    // Too many to be read: the rows say it as well.
    await note(200_000, 30);
    expect((await readArms(db, cutAt(experimentId, at(60), 0))).from).toBe('rows');
    await db.pool.query('TRUNCATE outcome_changes');
  });

  it('are moved by looking up each subject alone, also in a table of which Postgres knows nothing yet', async () => {
    const { experimentId } = await liveExperiment();
    const note = () =>
      db.pool.query(
        `INSERT INTO outcome_changes (experiment_id, subject)
         SELECT $1, encode(sha256(n::text::bytea), 'hex') FROM generate_series(1, 500) n`,
        [experimentId],
      );
    await db.pool.query(
      `INSERT INTO exposures (experiment_id, subject, arm, version, exposed_at)
       SELECT $1, encode(sha256(n::text::bytea), 'hex'), 'champion', 1, $2 FROM generate_series(1, 500) n`,
      [experimentId, at(1)],
    );
    await foldOutcomes(db, { asOf: at(60) });
    const uses = async () => {
      // What a connection has counted comes when it is idle for a moment.
      await Promise.all(Array.from({ length: 4 }, () => db.pool.query('SELECT pg_stat_force_next_flush()')));
      const { rows } = await db.pool.query<{ name: string; read: number }>(
        `SELECT indexrelname AS name, idx_tup_read::int AS read FROM pg_stat_user_indexes WHERE relname = 'outcome_subjects'`,
      );
      return Object.fromEntries(rows.map(({ name, read }) => [name, read]));
    };
    const before = await uses();
    await note();
    await foldOutcomes(db, { asOf: at(60) });
    await expect
      .poll(async () => (await uses()).outcome_subjects_pkey)
      .toBeGreaterThanOrEqual(before.outcome_subjects_pkey! + 1_000);
    expect((await uses()).outcome_subjects_by_valid_from).toBe(before.outcome_subjects_by_valid_from);
  });

  it('give way to the rows after the end, with other terms, and while very much is still to be counted', async () => {
    const { model, experimentId } = await liveExperiment();
    await insertExposures(db, [{ experimentId, subject: subjectOf('a'), arm: 'champion', exposedAt: at(1) }]);
    await insertInteractions(db, [
      { model, experimentId, arm: 'champion', subject: subjectOf('a'), askedAt: at(2), assignedVersion: 1 },
    ]);
    const from = async (changes: Partial<CutRequest> = {}) => {
      const cut = await readArms(db, { ...cutAt(experimentId, at(60), 0), ...changes });
      expect(cut.champion.E).toBe(1);
      return cut.from;
    };
    expect(await from()).toBe('sums');
    expect(await from({ minRating: 0.5 })).toBe('rows');
    expect(await from({ feedbackWindowMs: 1_000 })).toBe('rows');
    await db.pool.query(
      `INSERT INTO outcome_changes (experiment_id, subject) SELECT $1, encode(sha256(n::text::bytea), 'hex') FROM generate_series(1, 20001) n`,
      [experimentId],
    );
    expect(await from()).toBe('rows');
    expect(await foldOutcomes(db, { asOf: at(60), withinMs: 0 })).toMatchObject({ done: false });
    expect(await foldOutcomes(db, { asOf: at(60) })).toMatchObject({ done: true });
    expect(await noted(experimentId)).toBe(0);
    expect(await from()).toBe('sums');
    await db.prisma.experiment.update({ where: { id: experimentId }, data: { endedAt: at(60), decision: 'undone' } });
    expect(await from()).toBe('rows');
    // What arrives for it now is nobody's.
    await insertExposures(db, [{ experimentId, subject: subjectOf('b'), arm: 'champion', exposedAt: at(61) }]);
    expect(await noted(experimentId)).toBe(1);
    await foldOutcomes(db, { asOf: at(60) });
    expect(await noted(experimentId)).toBe(0);
  });
});
