import { describe, expect, it } from 'vitest';
import { type EndedCycle, useTimeSkipping } from './time-skipping.js';
import { HOUR, World } from './world.js';

const { runCycle } = useTimeSkipping();

/** The champion from before has everything, and nothing of the cycle is left. */
function expectAsBefore(world: World): void {
  expect(world.route).toMatchObject({ champion: 1, previous: null, challenger: null, experimentId: null });
  expect(world.leftBehind).toEqual([]);
}

function expectEnd(world: World, { outcome, attributes }: EndedCycle, name: string, reason: string): void {
  expect(outcome).toMatchObject({ outcome: name, reason });
  expect(attributes.UnderstudyOutcome).toBe(name);
  expect(world.rows.at(-1)).toMatchObject({ outcome: name, reason });
}

describe('a bandit', () => {
  it('promotes from the epoch to which its looks moved the route, and says that it was no test', async () => {
    const world = new World();
    world.look = (k) => {
      if (k === 1) world.route = { ...world.route, epoch: world.route.epoch + 1 };
      const { epoch } = world.route;
      return k === 1 ? { decision: 'wait', epoch } : { decision: 'promote', reason: 'bandit', epoch, z: null };
    };
    const cycle = await runCycle(world);
    expectEnd(world, cycle, 'promoted', 'bandit');
    expect(world.route.champion).toBe(2);
    expect(world.called('promote')[0]).toMatchObject({ forced: false });
  });
});

describe('rejected', () => {
  it('by the evaluation: the candidate never meets live traffic', async () => {
    const world = new World();
    world.gate = { passed: false, lowerBound: -0.08 };
    const cycle = await runCycle(world, { golden: 'rejected-evaluation' });
    expectEnd(world, cycle, 'rejected', 'evaluation');
    expect(cycle.outcome!.evidence).toMatchObject({ n: 400, lower_bound: -0.08, margin: 0.02 });
    expect(world.names).not.toContain('startExperiment');
    expect(world.versions.get(2)).toBe('rejected');
    expectAsBefore(world);
  });

  it('for no improvement, at the last look', async () => {
    const world = new World();
    world.look = (_k, last) => (last ? { decision: 'reject', reason: 'no_improvement' } : { decision: 'wait' });
    const cycle = await runCycle(world);
    expectEnd(world, cycle, 'rejected', 'no_improvement');
    expect(world.called('endExperiment')[0]).toMatchObject({ decision: 'reject', actor: 'cycle' });
    expect(world.versions.get(2)).toBe('rejected');
    expectAsBefore(world);
  });

  it.each(['harm', 'guardrail'] as const)('for %s at a look', async (reason) => {
    const world = new World();
    world.look = () => ({ decision: 'reject', reason });
    const cycle = await runCycle(world);
    expectEnd(world, cycle, 'rejected', reason);
    expectAsBefore(world);
  });

  it.each(['harm', 'guardrail'] as const)('for %s by the watch loop, long before the first look', async (reason) => {
    const world = new World();
    const cycle = await runCycle(world, {
      golden: `rejected-${reason}`,
      async during({ experimenting, pass, signal }) {
        const { experiment } = await experimenting();
        await pass(2 * HOUR);
        world.move('watch', 'harm_stop');
        await signal('halt', {
          experiment: experiment!.id,
          evidence: { reason, summary: 'worse by 0.2', n: 140, delta: -0.2 },
        });
      },
    });
    expectEnd(world, cycle, 'rejected', reason);
    expect(cycle.outcome!.evidence).toEqual({ halted_by: 'watch', summary: 'worse by 0.2' });
    expect(world.names).not.toContain('takeLook');
    expect(world.versions.get(2)).toBe('rejected');
    expectAsBefore(world);
  });

  it('for harm also when the message of the watch loop never came: the next look finds out', async () => {
    const world = new World();
    const cycle = await runCycle(world, {
      async during({ experimenting, pass }) {
        await experimenting();
        await pass(2 * HOUR);
        world.move('watch', 'harm_stop');
      },
    });
    expectEnd(world, cycle, 'rejected', 'harm');
    expectAsBefore(world);
  });

  it('is unloaded only after the requests that are under way have ended', async () => {
    const world = new World();
    world.plan.drainMs = HOUR;
    world.look = () => ({ decision: 'reject', reason: 'harm' });
    await runCycle(world, {
      async during({ experimenting, pass, until }) {
        await experimenting();
        await pass(48 * HOUR);
        await until(() => world.names.includes('retireVersion'));
        await pass(0.9 * HOUR);
        expect(world.route.challenger).toBe(null);
        expect(world.loaded.has(2)).toBe(true);
      },
    });
    expect(world.loaded.has(2)).toBe(false);
  });
});

describe('inconclusive', () => {
  it.each(['max_duration', 'not_enough_data', 'blocked'] as const)(
    'for %s: the version is archived, not rejected',
    async (reason) => {
      const world = new World();
      world.look = (_k, last) => (last ? { decision: 'inconclusive', reason } : { decision: 'wait' });
      const cycle = await runCycle(world, { golden: 'inconclusive' });
      expectEnd(world, cycle, 'inconclusive', reason);
      expect(world.versions.get(2)).toBe('archived');
      expect(cycle.outcome!.evidence).toMatchObject({ look: 4, champion: { n: 1_800, x: 1_080 } });
      expectAsBefore(world);
    },
  );

  it('because somebody else changed the route before the experiment: it is not touched', async () => {
    const world = new World();
    world.before.set('evaluate', () => world.move('grace', 'rollback', { champion: 1 }));
    const cycle = await runCycle(world);
    expectEnd(world, cycle, 'inconclusive', 'route_changed');
    expect(cycle.outcome).toMatchObject({ champion: null, evidence: { moved_by: 'grace', epoch: 5 } });
    expect(world.route.epoch).toBe(5);
    expect(world.leftBehind).toEqual([]);
  });

  it('because somebody else changed the route during the experiment: left alone, and reported at the next look', async () => {
    const world = new World();
    const cycle = await runCycle(world, {
      golden: 'inconclusive-route-changed',
      async during({ experimenting, pass }) {
        await experimenting();
        await pass(5 * HOUR);
        world.versions.set(7, 'candidate');
        world.move('grace', 'rollback', { champion: 7, previous: 1 });
      },
    });
    expectEnd(world, cycle, 'inconclusive', 'route_changed');
    expect(cycle.outcome!.evidence).toEqual({ moved_by: 'grace', epoch: 6, action: 'rollback' });
    expect(world.called('takeLook')).toHaveLength(1);
    expect(world.route).toMatchObject({ epoch: 6, champion: 7, previous: 1, actor: 'grace' });
    expect(world.versions.get(2)).toBe('archived');
    expect(world.loaded.has(2)).toBe(false);
  });

  it('because somebody else changed the route between the deciding look and the promotion', async () => {
    const world = new World();
    world.before.set('promote', () => world.move('grace', 'end_experiment'));
    const cycle = await runCycle(world);
    expectEnd(world, cycle, 'inconclusive', 'route_changed');
    expect(world.route).toMatchObject({ champion: 1, actor: 'grace' });
    expect(world.leftBehind).toEqual([]);
  });

  it('because somebody made the candidate champion themselves: the version stays loaded and unretired', async () => {
    const world = new World();
    const cycle = await runCycle(world, {
      async during({ experimenting, pass }) {
        await experimenting();
        await pass(5 * HOUR);
        world.move('grace', 'rollback', { champion: 2, previous: 1 });
      },
    });
    expectEnd(world, cycle, 'inconclusive', 'route_changed');
    expect(world.versions.get(2)).toBe('candidate');
    expect(world.loaded.has(2)).toBe(true);
    expect(world.route.champion).toBe(2);
  });

  it('because somebody else moved the route during the bake', async () => {
    const world = new World();
    const cycle = await runCycle(world, {
      async during({ baking }) {
        await baking();
        world.versions.set(7, 'candidate');
        world.move('grace', 'rollback', { champion: 7, previous: 1 });
      },
    });
    expectEnd(world, cycle, 'inconclusive', 'route_changed');
    expect(world.route).toMatchObject({ champion: 7, actor: 'grace' });
    expect(world.names).not.toContain('undoRoute');
  });
});

describe('skipped', () => {
  it('when there is too little to learn from, with the numbers, and nothing kept', async () => {
    const world = new World();
    world.examples = { considered: 700, eligible: 312, tooFew: true };
    const cycle = await runCycle(world, { golden: 'skipped-not-enough-examples' });
    expectEnd(world, cycle, 'skipped', 'not_enough_examples');
    expect(cycle.outcome!.evidence).toEqual({ considered: 700, eligible: 312, needed: 1_000 });
    expect(world.datasets.get('dataset-1')).toBe('orphaned');
    expect(world.names).not.toContain('curate');
    expectAsBefore(world);
  });

  it('when curation leaves too little, with the reasons', async () => {
    const world = new World();
    world.dataset = { kept: 12, leftOut: { duplicate: 4_988 }, tooFew: true };
    const cycle = await runCycle(world);
    expectEnd(world, cycle, 'skipped', 'not_enough_examples');
    expect(cycle.outcome!.evidence).toMatchObject({ kept: 12, leftOut: { duplicate: 4_988 } });
    expect(world.names).not.toContain('submitTraining');
    expectAsBefore(world);
  });

  it('when a cycle of another workflow holds the model: its row is left alone', async () => {
    const world = new World();
    world.rows.push({
      cycleId: 'c',
      workflowId: 'somewhere-else',
      runId: 'r',
      phases: [],
      outcome: null,
      reason: null,
    });
    const cycle = await runCycle(world, { golden: 'skipped-already-running' });
    expect(cycle.outcome).toMatchObject({ outcome: 'skipped', reason: 'already_running', cycleId: null });
    expect(cycle.outcome!.evidence).toEqual({ held_by: 'somewhere-else' });
    expect(world.names).toEqual(['openCycle']);
    expect(world.rows).toHaveLength(1);
  });
});

describe('rolled back', () => {
  const message = { candidate: 2, actor: 'ada', reason: 'customers complain', request_id: 'r-9' };

  it('by an operator during the experiment: it is closed', async () => {
    const world = new World();
    const cycle = await runCycle(world, {
      golden: 'rolled-back-experiment',
      async during({ experimenting, pass, signal }) {
        await experimenting();
        await pass(3 * HOUR);
        await signal('rollback', message);
      },
    });
    expectEnd(world, cycle, 'rolled_back', 'operator');
    const [end] = world.called('endExperiment');
    expect(end).toMatchObject({ decision: 'rollback', reason: 'customers complain', actor: 'ada' });
    expect(end!.requestId).toMatch(/rollback\/r-9$/);
    expect(world.versions.get(2)).toBe('archived');
    expectAsBefore(world);
  });

  it('by an operator during the bake: the previous champion is champion again', async () => {
    const world = new World();
    const cycle = await runCycle(world, {
      golden: 'rolled-back-bake',
      async during({ baking, signal }) {
        await baking();
        expect(world.route.champion).toBe(2);
        await signal('rollback', message);
      },
    });
    expectEnd(world, cycle, 'rolled_back', 'operator');
    expect(cycle.outcome!.champion).toBe(1);
    expect(world.called('undoRoute')[0]).toMatchObject({ actor: 'ada', reason: 'customers complain' });
    expect(world.versions.get(2)).toBe('archived');
    expectAsBefore(world);
  });

  it('while the promotion is being carried out: it is promoted and restored at once', async () => {
    const world = new World();
    const cycle = await runCycle(world, {
      async during({ experimenting, signal }) {
        await experimenting();
        world.before.set('promote', () => signal('rollback', message));
      },
    });
    expectEnd(world, cycle, 'rolled_back', 'operator');
    expect(world.names).not.toContain('checkBake');
    expectAsBefore(world);
  });

  it('when the bake shows harm at its end', async () => {
    const world = new World();
    world.bake = () => ({ rollback: true });
    const cycle = await runCycle(world);
    expectEnd(world, cycle, 'rolled_back', 'bake_harm');
    expect(world.versions.get(2)).toBe('rejected');
    expectAsBefore(world);
  });

  it('when the watch loop has rolled the bake back already', async () => {
    const world = new World();
    const cycle = await runCycle(world, {
      golden: 'rolled-back-bake-harm',
      async during({ baking, pass, signal }) {
        const { bake } = await baking();
        await pass(HOUR);
        world.move('watch', 'rollback', { champion: 1, previous: null });
        await signal('halt', { experiment: bake!.id, evidence: { reason: 'bake_harm', summary: 'worse by 0.1' } });
      },
    });
    expectEnd(world, cycle, 'rolled_back', 'bake_harm');
    expect(cycle.outcome!.evidence).toMatchObject({ halted_by: 'watch', restored_by_this_cycle: false });
    expect(world.versions.get(2)).toBe('rejected');
    expectAsBefore(world);
  });
});
