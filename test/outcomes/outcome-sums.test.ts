import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDb, type Db } from '../../src/db/index.js';
import { type CutRequest, cutOf, readArms, recountArms } from '../../src/experiments/index.js';
import { recordExposures, storeCaptured, storeFeedback } from '../../src/interactions/index.js';
import { dropOutcomes, foldOutcomes, keepOutcomes, readOutcomeSums } from '../../src/outcomes/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import {
  insertExposures,
  insertFeedback,
  insertInteractions,
  seedCycle,
  seedModel,
  subjectOf,
  uuid7,
} from '../support/experiment-data.js';

let database: TestDatabase;
let db: Db;
beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(database.url);
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

const START = Date.parse('2026-11-20T12:00:00Z');
/** Seconds after the start. */
const at = (seconds: number) => new Date(START + seconds * 1_000);
const WINDOW_MS = 20_000;
const MIN_RATING = 0.75;

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

const keep = (experimentId: string) =>
  keepOutcomes(
    db,
    [0, WINDOW_MS].map((feedbackWindowMs) => ({ experimentId, feedbackWindowMs, minRating: MIN_RATING })),
  );

function cutAt(experimentId: string, asOf: Date, feedbackWindowMs: number): CutRequest {
  return { experimentId, secondArm: 'challenger', asOf, feedbackWindowMs, minRating: MIN_RATING };
}

async function expectAlike(experimentId: string, asOf: Date, feedbackWindowMs: number): Promise<void> {
  const request = cutAt(experimentId, asOf, feedbackWindowMs);
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
          kind: fc.constantFrom('thumbs', 'correction', 'comment'),
        }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('retract' as const), nth, seconds }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('erase' as const), subject }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('again' as const) }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('fold' as const), seconds }) },
      { weight: 4, arbitrary: fc.record({ do: fc.constant('look' as const), seconds, window: fc.boolean() }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const { model, experimentId } = await liveExperiment({ kept: steps.length % 2 === 0 });
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
                  },
                ])),
              );
              break;
            case 'say': {
              const interactionId = asked[step.nth % asked.length];
              if (interactionId === undefined) break;
              const id = uuid7(at(step.seconds));
              const { kind } = step;
              const body = { value: kind === 'thumbs' ? step.value : 'other words' };
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
              await keep(experimentId);
              break;
            case 'fold':
              await keep(experimentId);
              await foldOutcomes(db, { asOf: at(step.seconds) });
              expect(await noted(experimentId)).toBe(0);
              break;
            case 'look':
              await keep(experimentId);
              await expectAlike(experimentId, at(step.seconds), step.window ? WINDOW_MS : 0);
              break;
          }
        }
        await keep(experimentId);
        for (const T of [0, 40, 80, 120, 200]) {
          for (const window of [0, WINDOW_MS]) await expectAlike(experimentId, at(T), window);
        }
        await db.prisma.experiment.update({
          where: { id: experimentId },
          data: { endedAt: at(0), decision: 'undone' },
        });
      }),
      { numRuns: 40 },
    );
  });
});
