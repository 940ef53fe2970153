import { expect, it } from 'vitest';
import {
  endShadow,
  judgeShadow,
  readShadows,
  shadowCandidate,
  startShadow,
  storeShadowAnswer,
} from '../../src/shadow/index.js';
import { useTestDatabase } from '../support/database.js';
import { quickPolicy, seedCycle, seedModel, uuid7 } from '../support/experiment-data.js';

const database = await useTestDatabase();
const { db } = database;

const START = Date.now();
const at = (seconds: number) => new Date(START + seconds * 1_000);

/** A cycle whose candidate, version 2, answers copies for a minute: ten at least, of which a tenth may fail. */
async function shadowed() {
  const { experiment } = quickPolicy('m');
  const terms = { duration: '60s', share: 0.5, min_answers: 10, max_error_rate: 0.1 };
  const model = await seedModel(db, { versions: 3, policy: { experiment: { ...experiment, shadow_first: terms } } });
  const cycleId = await seedCycle(db, model, at(-10));
  const request = { cycleId, version: 2 };
  const begin = () => shadowCandidate(db, { ...request, asOf: at(0) });
  const judge = () => judgeShadow(db, { ...request, since: at(0) });
  const answer = async (second: number, status: 'complete' | 'failed', version = 2) => {
    const failed = { response: null, failure: 'upstream' };
    const complete = { response: { choices: [] }, failure: null };
    const facts = { id: uuid7(at(second)), model, version, latencyMs: 5 };
    await storeShadowAnswer(db, { ...facts, status, ...(status === 'failed' ? failed : complete) });
  };
  return { model, cycleId, begin, judge, answer };
}

it('lets a candidate answer copies for as long as its policy says, and asks it no more once it is judged', async () => {
  const { model, begin, judge, answer } = await shadowed();
  expect(await begin()).toEqual({ until: at(60).toISOString() });
  // Again, by an attempt whose answer was lost: it goes on as it was.
  expect(await begin()).toEqual({ until: at(60).toISOString() });
  const shadow = (await readShadows(db, at(1))).get(model);
  expect(shadow).toMatchObject({ version: 2, share: 0.5, actor: 'cycle' });
  for (let second = 1; second <= 10; second += 1) await answer(second, second === 1 ? 'failed' : 'complete');
  // What it answered before, and what others answered, is not about this trial.
  await answer(-30, 'failed');
  await answer(5, 'failed', 3);
  expect(await judge()).toEqual({
    ...{ passed: true, enough: true, n: 10, failed: 1, limit: 0.1 },
    summary: '1 of 10 copies failed (10.0 %), allowed 10.0 %',
  });
  expect((await readShadows(db, at(1))).has(model)).toBe(false);
});

it('one that fails more than it may does not pass, nor one that was asked too little', async () => {
  const bad = await shadowed();
  await bad.begin();
  for (let second = 1; second <= 10; second += 1) await bad.answer(second, second < 3 ? 'failed' : 'complete');
  expect(await bad.judge()).toMatchObject({ passed: false, enough: true, failed: 2 });
  const quiet = await shadowed();
  await quiet.begin();
  await quiet.answer(1, 'complete');
  expect(await quiet.judge()).toMatchObject({ passed: false, enough: false, summary: '1 copies in 1m, 10 needed' });
});

it('ends with its cycle, but leaves a shadow alone that somebody started meanwhile', async () => {
  const { model, cycleId, begin } = await shadowed();
  await begin();
  const byHand = { model, version: 3, share: 1, endsAt: at(3_600), actor: 'ada', reason: 'curious' };
  await startShadow({ db, loadVersion: async () => {} }, byHand);
  await endShadow(db, { cycleId });
  expect((await readShadows(db, at(1))).get(model)).toMatchObject({ version: 3 });
  await begin();
  await endShadow(db, { cycleId });
  await endShadow(db, { cycleId });
  expect((await readShadows(db, at(1))).has(model)).toBe(false);
});
