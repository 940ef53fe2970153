import { describe, expect, it } from 'vitest';
import type { Activities } from '../../src/activities/contract.js';
import { CANARY, type RunningCycle, useTimeSkipping } from './time-skipping.js';
import { HOUR, World } from './world.js';

const { runCycle } = useTimeSkipping();
type Name = keyof Activities;

/** What is undone, last in first out, when the cycle is cancelled while this step runs. */
const UNDONE: [phase: string, step: Name, undone: Name[]][] = [
  ['opening', 'openCycle', ['closeCycle']],
  ['collecting', 'collect', ['orphanDataset', 'closeCycle']],
  ['curating', 'curate', ['orphanDataset', 'closeCycle']],
  ['submitting', 'submitTraining', ['cancelTraining', 'orphanDataset', 'closeCycle']],
  ['training', 'followTraining', ['cancelTraining', 'orphanDataset', 'closeCycle']],
  ['registering', 'registerVersion', ['retireVersion', 'closeCycle']],
  ['loading', 'loadVersion', ['unloadVersion', 'retireVersion', 'closeCycle']],
  ['evaluating', 'evaluate', ['unloadVersion', 'retireVersion', 'closeCycle']],
  ['starting the experiment', 'startExperiment', ['undoRoute', 'unloadVersion', 'retireVersion', 'closeCycle']],
  ['looking', 'takeLook', ['undoRoute', 'unloadVersion', 'retireVersion', 'closeCycle']],
  ['promoting', 'promote', ['undoRoute', 'unloadVersion', 'retireVersion', 'closeCycle']],
  ['baking', 'checkBake', ['undoRoute', 'unloadVersion', 'retireVersion', 'closeCycle']],
];

/** Steps that come after time has passed. */
const AT_48_HOURS: Name[] = ['takeLook', 'promote'];
const AT_72_HOURS: Name[] = ['checkBake', 'endBake'];

/** Cancels the cycle while that step runs; the step itself ends well. */
function cancelWithin(world: World, step: Name): (cycle: RunningCycle) => Promise<void> {
  return async ({ handle, cancel, experimenting, baking, pass }) => {
    let done: () => void = () => undefined;
    const canceled = new Promise<void>((resolve) => {
      done = resolve;
    });
    world.before.set(step, () => canceled);
    // To the hour, and no further: an activity that is held would run into its timeout.
    if (AT_48_HOURS.includes(step)) {
      await experimenting();
      await pass(48 * HOUR);
    }
    if (AT_72_HOURS.includes(step)) {
      await baking();
      await pass(24 * HOUR);
    }
    while (!(await eventTypes(handle)).includes(step)) await pause();
    await cancel();
    // The step ends after the cycle has heard of it: the test server, unlike Temporal, stumbles over both at one instant.
    while (!(await eventTypes(handle)).includes('cancel requested')) await pause();
    done();
  };
}

const pause = () => new Promise((resolve) => setTimeout(resolve, 10));

/** Activities that were scheduled, by name, and cancellations of them. */
async function eventTypes(handle: RunningCycle['handle']): Promise<string[]> {
  const { events } = await handle.fetchHistory();
  return (events ?? []).map((event) =>
    event.activityTaskCancelRequestedEventAttributes
      ? 'cancel requested'
      : (event.activityTaskScheduledEventAttributes?.activityType?.name ?? ''),
  );
}

describe('cancelling', () => {
  it.each(UNDONE)('while %s undoes everything, last in first out, and ends Canceled', async (phase, step, undone) => {
    const world = new World();
    const golden = `canceled-${phase.replaceAll(' ', '-')}`;
    const cycle = await runCycle(world, { golden, during: cancelWithin(world, step) });
    expect(cycle.canceled).toBe(true);
    const names = world.names;
    expect(names.slice(names.indexOf(step) + 1).filter((name) => name !== 'recordPhase')).toEqual(undone);
    expect(world.called('closeCycle')[0]).toMatchObject({ outcome: 'canceled' });
    expect(cycle.attributes.UnderstudyOutcome).toBe('canceled');
    expect(world.route).toMatchObject({ champion: 1, challenger: null });
    expect(world.leftBehind).toEqual([]);
  });

  it('between two steps, in the middle of the 48 hours, undoes as well', async () => {
    const world = new World();
    const cycle = await runCycle(world, {
      golden: 'canceled-experimenting',
      async during({ experimenting, pass, cancel }) {
        await experimenting();
        await pass(20 * HOUR);
        await cancel();
      },
    });
    expect(cycle.canceled).toBe(true);
    expect(world.since('undoRoute')).toEqual(['undoRoute', 'unloadVersion', 'retireVersion', 'closeCycle']);
    expect(world.called('undoRoute')[0]).toMatchObject({
      actor: 'cycle',
      reason: 'canceled: the workflow was cancelled',
    });
    expect(world.versions.get(2)).toBe('archived');
    expect(world.leftBehind).toEqual([]);
  });

  it('leaves a candidate alone that somebody has made champion meanwhile, and asks nobody', async () => {
    const world = new World();
    const cycle = await runCycle(world, {
      async during({ experimenting, pass, cancel }) {
        await experimenting();
        await pass(20 * HOUR);
        world.move('ada', 'rollback', { champion: 2, previous: 1 });
        await cancel();
      },
    });
    expect(cycle.canceled).toBe(true);
    expect(cycle.attributes.UnderstudyNeedsOperator).toBeUndefined();
    expect(world.route).toMatchObject({ champion: 2, previous: 1, actor: 'ada' });
    expect(world.versions.get(2)).toBe('candidate');
    expect(world.loaded).toContain(2);
    expect(world.leftBehind).toEqual([]);
  });

  it('in the bake puts the champion from before back', async () => {
    const world = new World();
    const cycle = await runCycle(world, {
      async during({ baking, cancel }) {
        await baking();
        await cancel();
      },
    });
    expect(cycle.canceled).toBe(true);
    expect(world.route).toMatchObject({ champion: 1, previous: null, challenger: null });
    expect(world.leftBehind).toEqual([]);
  });

  it('after the holdback has ended comes too late: the promotion stands', async () => {
    const world = new World();
    const cycle = await runCycle(world, { during: cancelWithin(world, 'endBake') });
    expect(cycle.outcome).toMatchObject({ outcome: 'promoted', champion: 2 });
    expect(world.route.champion).toBe(2);
    expect(world.leftBehind).toEqual([]);
  });

  it('while it is parked ends the waiting', async () => {
    const world = new World();
    world.fail('loadVersion', 'serving_unreachable', { url: 'http://replica', detail: 'ECONNREFUSED' });
    const cycle = await runCycle(world, {
      golden: 'canceled-parked',
      async during({ passUntil, cancel }) {
        await passUntil(({ needsOperator }) => needsOperator !== null);
        await cancel();
      },
    });
    expect(cycle.canceled).toBe(true);
    expect(world.leftBehind).toEqual([]);
  });
});

describe('a failure that no waiting cures', () => {
  it('undoes everything and fails with a code of the table as its type', async () => {
    const world = new World();
    world.fail('followTraining', 'training_failed', { detail: 'out of memory' });
    const cycle = await runCycle(world, { golden: 'failed-training' });
    expect(cycle.failure).toEqual({ type: 'training_failed', message: 'The training job failed: out of memory.' });
    expect(world.since('cancelTraining')).toEqual(['cancelTraining', 'orphanDataset', 'closeCycle']);
    const [end] = world.called('closeCycle');
    expect(end).toMatchObject({
      outcome: 'failed',
      reason: 'training_failed: The training job failed: out of memory.',
    });
    expect(cycle.attributes.UnderstudyOutcome).toBe('failed');
    expect(world.leftBehind).toEqual([]);
  });

  it('stops a run whose lease another one has taken', async () => {
    const world = new World();
    world.before.set('curate', () => {
      world.live!.runId = 'another-run';
    });
    const cycle = await runCycle(world);
    expect(cycle.failure?.type).toBe('lease_lost');
    expect(world.names).not.toContain('submitTraining');
  });

  it('in a cheap step ends the cycle when its retries are used up', async () => {
    const world = new World();
    world.fail('collect', 'database_unreachable', { detail: 'ECONNREFUSED' });
    const cycle = await runCycle(world);
    expect(cycle.failure?.type).toBe('database_unreachable');
    expect(world.leftBehind).toEqual([]);
  });

  it('of a policy below the floor ends it at once, with what to do', async () => {
    const world = new World();
    world.fail('openCycle', 'policy_below_floor', { given: '10m' });
    const cycle = await runCycle(world, { golden: 'failed-policy' });
    expect(cycle.failure?.type).toBe('policy_below_floor');
    expect(cycle.failure?.message).toContain('the floor is 48h');
    expect(world.calls).toEqual([]);
    expect(cycle.attributes.UnderstudyOutcome).toBe('failed');
  });

  it('never carries the text of an error that is not of the table', async () => {
    const world = new World();
    world.before.set('collect', () => {
      throw new Error(`invalid input syntax for type json: "${CANARY}"`);
    });
    const cycle = await runCycle(world);
    expect(cycle.failure?.type).toBe('internal');
    expect(JSON.stringify(cycle.failure)).not.toContain(CANARY);
  });
});

describe('an undo step that fails for good', () => {
  it('does not keep the others from running, and raises UnderstudyNeedsOperator until it works', async () => {
    const world = new World();
    let broken = true;
    world.fail('unloadVersion', 'serving_unreachable', { url: 'http://replica', detail: 'ECONNREFUSED' }, () => broken);
    const cycle = await runCycle(world, {
      golden: 'canceled-undo-fails',
      async during({ experimenting, handle, pass, passUntil, cancel, signal }) {
        await experimenting();
        await pass(HOUR);
        await cancel();
        const { needsOperator } = await passUntil(({ needsOperator }) => needsOperator !== null);
        expect(needsOperator).toMatchObject({ step: 'unload the version' });
        expect(needsOperator!.problem).toMatch(/^serving_unreachable: /);
        const { searchAttributes, status } = await handle.describe();
        expect(searchAttributes?.UnderstudyNeedsOperator).toEqual([true]);
        expect(status.name).toBe('RUNNING');
        // The others have run, in their order; the lease is kept, so that no cycle starts on top of what is left.
        expect(world.since('undoRoute')).toEqual(['undoRoute', 'retireVersion']);
        expect(world.live).toBeDefined();
        broken = false;
        await signal('resume', { actor: 'ada' });
      },
    });
    expect(cycle.canceled).toBe(true);
    expect(cycle.attributes.UnderstudyNeedsOperator).toBe(false);
    expect(world.names.slice(-2)).toEqual(['unloadVersion', 'closeCycle']);
    expect(world.leftBehind).toEqual([]);
  });

  it('can be left as it is', async () => {
    const world = new World();
    world.fail('unloadVersion', 'serving_unreachable', { url: 'http://replica', detail: 'ECONNREFUSED' });
    const cycle = await runCycle(world, {
      async during({ experimenting, pass, passUntil, cancel, signal }) {
        await experimenting();
        await pass(HOUR);
        await cancel();
        await passUntil(({ needsOperator }) => needsOperator !== null);
        await signal('resume', { actor: 'ada', skip: true });
      },
    });
    expect(cycle.canceled).toBe(true);
    expect(world.leftBehind).toEqual(['adapter 2']);
  });
});
