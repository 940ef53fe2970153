import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createActivities } from '../../../src/activities/index.js';
import { type Cell, type Killed, openKillMatrix, type Victims } from './kill-matrix.js';

const VICTIMS: Victims[] = [['worker', 'server'], ['temporal'], ['worker', 'server', 'temporal']];
/** As many cycles at once as two cores keep alive. */
const WAVE = 24;

const matrix = await openKillMatrix();
afterAll(() => matrix.close());

it('the ways that cycles go in these tests meet every activity there is', () => {
  const met = new Set(matrix.cells.map(({ activity }) => activity));
  expect([...met].sort()).toEqual(Object.keys(createActivities({} as never)).sort());
});

describe.each(VICTIMS.map((victims) => [`${victims.join(' and ')} killed`, victims] as const))('%s', (_, victims) => {
  const found = new Map<Cell, Killed>();
  beforeAll(async () => {
    for (let from = 0; from < matrix.cells.length; from += WAVE) {
      const wave = matrix.cells.slice(from, from + WAVE);
      for (const [i, killed] of (await matrix.kill(wave, victims)).entries()) found.set(wave[i]!, killed);
    }
  });
  const titled = matrix.cells.map((cell) => {
    const { scenario, workflow, activity, id, moment } = cell;
    return [`${moment} ${activity} (${scenario}, step ${id} of the ${workflow})`, cell] as const;
  });
  it.each(titled)('%s', (_, cell) => {
    expect(found.get(cell)?.misfits).toEqual([]);
  });
});
