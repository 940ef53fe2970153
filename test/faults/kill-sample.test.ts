import { afterAll, beforeAll, expect, it } from 'vitest';
import { createActivities } from '../../src/activities/index.js';
import { type Cell, type KillMatrix, openKillMatrix } from './kill/kill-matrix.js';

let matrix: KillMatrix;
beforeAll(async () => {
  matrix = await openKillMatrix();
}, 300_000);
afterAll(() => matrix?.close());

it('the ways that cycles go in these tests meet every activity there is', () => {
  const met = new Set(matrix.cells.map(({ activity }) => activity));
  expect([...met].sort()).toEqual(Object.keys(createActivities({} as never)).sort());
});

// `npm run faults` kills at every moment of every step; here each activity has one.
it('killed with the server at a moment of each activity, a worker leaves nothing undone and nothing done twice', async () => {
  const sample = oneOfEach(matrix.cells);
  const killed = await matrix.kill(sample, ['worker', 'server']);
  expect(killed.filter(({ misfits }) => misfits.length > 0)).toEqual([]);
  expect(killed).toHaveLength(sample.length);
}, 300_000);

/** One cell of each activity, mostly between its work and its answer. */
function oneOfEach(cells: readonly Cell[]): Cell[] {
  const names = [...new Set(cells.map(({ activity }) => activity))];
  return names.map((name, i) => {
    const moment = (['inside', 'before', 'inside', 'after'] as const)[i % 4];
    return cells.find((cell) => cell.activity === name && cell.moment === moment)!;
  });
}
