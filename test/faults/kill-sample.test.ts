import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Cell, type KillMatrix, openKillMatrix } from './kill/kill-matrix.js';

let matrix: KillMatrix;
beforeAll(async () => {
  matrix = await openKillMatrix(['promoted', 'rolled-back', 'cancelled-live']);
}, 300_000);
afterAll(() => matrix?.close());

/** What leaves something outside of the workflow, or says how it ended. `npm run faults` kills at every moment of every step. */
const SAMPLE = [
  'submitTraining',
  'registerVersion',
  'loadVersion',
  'promote',
  'rollbackRoute',
  'undoRoute',
  'closeCycle',
];

it('killed with the server between the work of a step and its answer, a worker leaves nothing undone and nothing done twice', async () => {
  const cells = SAMPLE.map((name) =>
    matrix.cells.find(({ activity, moment }) => activity === name && moment === 'inside'),
  );
  const killed = await matrix.kill(cells as Cell[], ['worker', 'server']);
  expect(killed.filter(({ misfits }) => misfits.length > 0)).toEqual([]);
  expect(killed).toHaveLength(SAMPLE.length);
}, 300_000);
