import { describe, expect, it } from 'vitest';
import type { CycleStatus } from '../../src/temporal/workflow-types.js';
import { useTimeSkipping } from './time-skipping.js';
import { HOUR, World } from './world.js';

const { runCycle } = useTimeSkipping();
const by = (actor: string, more: object = {}) => ({ candidate: 2, actor, reason: `${actor} looked at it`, ...more });
const waiting = ({ approval }: CycleStatus) => approval != null;
const frozen = ({ frozenUntil }: CycleStatus) => frozenUntil != null;

/** A world in which people have the last word. */
function manual(approvals = 1): World {
  const world = new World();
  world.plan = { ...world.plan, approval: 'manual', approvalTimeoutMs: 72 * HOUR, approvals };
  return world;
}

/** A world in which nothing is promoted on the third and fourth day of the experiment. */
function frozenWorld(world = new World()): World {
  world.frozenUntil = (at) => {
    const [test] = world.experiments.values();
    return at < test!.startedAt + 96 * HOUR ? test!.startedAt + 96 * HOUR : null;
  };
  return world;
}

describe('a promotion that people have to approve', () => {
  it('waits with its evidence, and is carried out in the name of who approved it', async () => {
    const world = manual();
    const cycle = await runCycle(world, {
      golden: 'promoted-approved',
      async during({ handle, experimenting, pass, until, signal }) {
        await experimenting();
        await pass(48 * HOUR);
        const { approval, looks, phase } = await until(waiting);
        expect([phase, looks.at(-1)!.decision, approval!.by]).toEqual(['experimenting', 'promote', []]);
        expect(Date.parse(approval!.until) - Date.parse(approval!.since)).toBe(72 * HOUR);
        expect((await handle.describe()).searchAttributes?.UnderstudyNeedsOperator).toEqual([true]);
        // Both arms go on answering.
        expect(world.route).toMatchObject({ champion: 1, challenger: 2, experimentId: 'experiment-1' });
        const late = handle.executeUpdate('extend', { args: [{ by: '24h' }] });
        await expect(late).rejects.toMatchObject({ cause: { message: expect.stringContaining('last look has come') } });
        await pass(HOUR);
        await signal('promote', by('ada', { request_id: 'r-1' }));
      },
    });
    const evidence = { approved_by: [{ actor: 'ada', reason: 'ada looked at it' }], z: 3.1 };
    expect(cycle.outcome).toMatchObject({ outcome: 'promoted', reason: 'significant', champion: 2, evidence });
    expect(cycle.attributes.UnderstudyNeedsOperator).toBe(false);
    const [promotion] = world.called('promote');
    expect(promotion).toMatchObject({ forced: false, actor: 'ada' });
    expect(promotion!.reason).toMatch(/^approved: ada looked at it; challenger 1170/);
    expect(promotion!.requestId).toMatch(/promote\/r-1$/);
  });

  it('that nobody approves in time leaves the champion', async () => {
    const world = manual();
    const cycle = await runCycle(world, { golden: 'inconclusive-approval-timed-out' });
    expect(cycle.outcome).toMatchObject({ outcome: 'inconclusive', reason: 'approval_timed_out', champion: 1 });
    expect(cycle.attributes.UnderstudyNeedsOperator).toBe(false);
    expect(world.experiments.get('experiment-1')).toMatchObject({ decision: 'inconclusive' });
    expect(world.versions.get(2)).toBe('archived');
    expect(world.leftBehind).toEqual([]);
  });

  it('of two people needs two: one person twice does not do, whatever name is given', async () => {
    const world = manual(2);
    const answers: unknown[] = [];
    const cycle = await runCycle(world, {
      golden: 'promoted-approved-by-two',
      async during({ handle, experimenting, pass, until }) {
        const approve = (message: object) =>
          handle.executeUpdate<{ note: string }, [object]>('promote', { args: [message] }).then(
            ({ note }) => note,
            (error: Error) => (error.cause as Error).message,
          );
        await experimenting();
        await pass(48 * HOUR);
        await until(waiting);
        answers.push(await approve(by('ada', { identity: 'key 1' })));
        answers.push(await approve(by('bob', { identity: 'key 1' })));
        answers.push((await until(waiting)).approval!.by);
        answers.push(await approve(by('bob', { identity: 'key 2' })));
      },
    });
    expect(answers).toEqual([
      'Nothing yet: 1 of 2 approvals; somebody else has to promote it, too.',
      'The cycle does not take this: bob has approved already; somebody else has to promote it, too.',
      ['ada'],
      expect.stringContaining('becomes champion now'),
    ]);
    expect(cycle.outcome).toMatchObject({
      outcome: 'promoted',
      evidence: { approved_by: [{ actor: 'ada' }, { actor: 'bob' }] },
    });
    expect(world.called('promote')[0]).toMatchObject({ actor: 'ada and bob', forced: false });
  });

  it('by hand, before the floor, takes as many people, all of them with force', async () => {
    const world = manual(2);
    const { outcome } = await runCycle(world, {
      async during({ experimenting, pass, until, signal }) {
        await experimenting();
        await signal('promote', by('ada', { force: true }));
        await pass(HOUR);
        expect((await until(({ messages }) => messages.length === 1)).phase).toBe('experimenting');
        await signal('promote', by('bob', { force: true }));
      },
    });
    expect(outcome).toMatchObject({ outcome: 'promoted', reason: 'forced' });
    expect(world.called('promote')[0]).toMatchObject({ actor: 'ada and bob', forced: true });
  });

  it('is rejected when the candidate turns out harmful while it waits', async () => {
    const world = manual();
    const { outcome } = await runCycle(world, {
      async during({ experimenting, pass, until, signal }) {
        const { experiment } = await experimenting();
        await pass(48 * HOUR);
        await until(waiting);
        world.move('watch', 'harm_stop');
        await signal('halt', { experiment: experiment!.id, evidence: { reason: 'harm', summary: 'worse by far' } });
      },
    });
    expect(outcome).toMatchObject({ outcome: 'rejected', reason: 'harm', champion: 1 });
    expect(world.versions.get(2)).toBe('rejected');
  });

  it('is undone by a cancellation while it waits', async () => {
    const world = manual();
    const cycle = await runCycle(world, {
      golden: 'canceled-awaiting-approval',
      async during({ experimenting, pass, until, cancel }) {
        await experimenting();
        await pass(48 * HOUR);
        await until(waiting);
        await cancel();
      },
    });
    expect(cycle.canceled).toBe(true);
    expect(world.leftBehind).toEqual([]);
  });
});

describe('a promotion in a freeze window', () => {
  it('waits for its end, and finds the route as it left it', async () => {
    const world = frozenWorld();
    const cycle = await runCycle(world, {
      golden: 'promoted-after-freeze',
      async during({ experimenting, pass, until }) {
        await experimenting();
        await pass(48 * HOUR);
        await until(frozen);
        expect(world.route).toMatchObject({ champion: 1, challenger: 2 });
      },
    });
    expect(cycle.outcome).toMatchObject({ outcome: 'promoted', reason: 'significant' });
    expect(cycle.status.frozenUntil).toBe(null);
    const start = Date.parse(world.called('startExperiment')[0]!.asOf as string);
    const tries = world.called('promote').map(({ asOf }) => Math.round((Date.parse(asOf as string) - start) / HOUR));
    expect(tries).toEqual([48, 96]);
  });

  it('that is asked for by hand waits, too; with force it does not, and says so', async () => {
    const world = frozenWorld();
    world.look = () => ({ decision: 'wait' });
    const notes: string[] = [];
    const { outcome } = await runCycle(world, {
      async during({ handle, experimenting, pass, until, signal }) {
        await experimenting();
        await pass(49 * HOUR);
        await signal('promote', by('ada'));
        await until(frozen);
        const again = handle.executeUpdate('promote', { args: [by('bob')] });
        await again.catch((error: Error) => notes.push((error.cause as Error).message));
        await signal('promote', by('bob', { force: true }));
      },
    });
    expect(notes).toEqual([
      expect.stringMatching(/decided already: promoted when the freeze ends \(.*\); "force": true/),
    ]);
    expect(outcome).toMatchObject({
      outcome: 'promoted',
      reason: 'forced',
      evidence: { actor: 'ada', freeze_overridden_by: [{ actor: 'bob' }] },
    });
    expect(world.called('promote')).toMatchObject([{ actor: 'ada' }, { actor: 'bob', despiteFreeze: true }]);
  });

  it('is not carried out when it was taken back meanwhile, by an operator or by somebody who moved the route', async () => {
    const world = frozenWorld();
    const { outcome } = await runCycle(world, {
      async during({ experimenting, pass, until, signal }) {
        await experimenting();
        await pass(48 * HOUR);
        await until(frozen);
        await signal('rollback', by('ada'));
      },
    });
    expect(outcome).toMatchObject({ outcome: 'rolled_back', reason: 'operator', champion: 1 });
    expect(world.leftBehind).toEqual([]);
    const other = frozenWorld();
    const moved = await runCycle(other, {
      async during({ experimenting, pass, until }) {
        await experimenting();
        await pass(48 * HOUR);
        await until(frozen);
        other.move('alice', 'rollback');
      },
    });
    expect(moved.outcome).toMatchObject({ outcome: 'inconclusive', reason: 'route_changed' });
  });
});
