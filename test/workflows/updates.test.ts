import { WorkflowUpdateFailedError } from '@temporalio/client';
import type { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import type { MessageAnswer } from '../../src/temporal/workflow-types.js';
import { type RunningCycle, useTimeSkipping } from './time-skipping.js';
import { HOUR, World } from './world.js';

const { runCycle } = useTimeSkipping();
const about = { candidate: 2, actor: 'ada', reason: 'the launch is tomorrow' };

/** Sends an update; answers what the cycle answered, or why it refused. */
async function update({ handle }: RunningCycle, name: string, payload: unknown): Promise<MessageAnswer | string> {
  try {
    return await handle.executeUpdate<MessageAnswer, [unknown]>(name, { args: [payload] });
  } catch (error) {
    if (!(error instanceof WorkflowUpdateFailedError)) throw error;
    const cause = error.cause as ApplicationFailure;
    expect(cause.type).toBe('message_refused');
    return cause.message;
  }
}

describe('an update', () => {
  it('is refused with the reason, and answered with what will happen when it is taken', async () => {
    const world = new World();
    const cycle = await runCycle(world, {
      golden: 'promoted-by-update',
      async during(running) {
        await running.experimenting();
        expect(await update(running, 'promote', { ...about, candidate: 1 })).toMatch(
          'about version 1, but the candidate is 2',
        );
        expect(await update(running, 'promote', about)).toMatch(/before the floor \(.*\); "force": true/);
        expect(await update(running, 'promote', { mood: 'good' })).toMatch(/not valid: candidate, actor, reason/);
        expect(await update(running, 'resume', { actor: 'ada' })).toMatch('the cycle is not waiting for an operator');
        // A refused update is nothing that happened.
        expect((await running.status()).messages).toEqual([]);
        expect(await update(running, 'promote', { ...about, force: true, request_id: 'r-1' })).toEqual({
          taken: true,
          note: 'Version 2 becomes champion now; version 1 keeps 10 % for 24h.',
        });
        const { messages } = await running.until(({ phase }) => phase === 'baking');
        expect(messages).toMatchObject([{ signal: 'promote', actor: 'ada', taken: true, note: about.reason }]);
        expect(await update(running, 'promote', about)).toMatch('already promoted');
        expect(await update(running, 'extend', { by: '24h' })).toMatch('nothing to extend now');
      },
    });
    expect(cycle.outcome).toMatchObject({ outcome: 'promoted', reason: 'forced', evidence: { actor: 'ada' } });
    expect(world.called('promote')[0]!.requestId).toMatch(/promote\/r-1$/);
  });

  it('takes the candidate back', async () => {
    const world = new World();
    const { outcome } = await runCycle(world, {
      async during(running) {
        await running.experimenting();
        const answer = await update(running, 'rollback', about);
        expect(answer).toEqual({ taken: true, note: 'The experiment ends; version 1 keeps all traffic.' });
      },
    });
    expect(outcome).toMatchObject({ outcome: 'rolled_back', reason: 'operator' });
    expect(world.leftBehind).toEqual([]);
  });
});

describe('an extension', () => {
  it('puts off the last look; what was planned before stays, and the experiment may promote later', async () => {
    const world = new World();
    world.look = (k) => (k === 6 ? { decision: 'promote', reason: 'significant' } : { decision: 'wait' });
    const cycle = await runCycle(world, {
      golden: 'promoted-extended',
      async during(running) {
        const { experiment } = await running.experimenting();
        await running.pass(50 * HOUR);
        await running.until(({ looks }) => looks.length === 1);
        expect(await update(running, 'extend', { by: '20d', actor: 'ada' })).toMatch('at most 360h more');
        expect(await update(running, 'extend', { by: '1ms' })).toMatch('not valid: by');
        expect(await update(running, 'extend', { by: '24h', candidate: 7 })).toMatch('about version 7');
        const to = new Date(Date.parse(experiment!.startedAt) + 168 * HOUR).toISOString();
        expect(await update(running, 'extend', { by: '48h', actor: 'ada', request_id: 'x' })).toEqual({
          taken: true,
          note: `The last look comes at ${to} instead of ${experiment!.maxEndsAt}; boundaries and what was spent stay.`,
        });
        await running.until(({ experiment }) => experiment?.maxEndsAt === to);
        expect(await update(running, 'extend', { by: '48h', request_id: 'x' })).toMatch('asked for already');
      },
    });
    expect(cycle.outcome).toMatchObject({ outcome: 'promoted', reason: 'significant' });
    const start = Date.parse(world.called('startExperiment')[0]!.asOf as string);
    const looks = world
      .called('takeLook')
      .map(({ k, isLast, asOf }) => [k, isLast, Math.round((Date.parse(asOf as string) - start) / HOUR)]);
    expect(looks).toEqual([
      [1, false, 48],
      [2, false, 72],
      [3, false, 96],
      [4, false, 120],
      [5, false, 144],
      [6, true, 168],
    ]);
    expect(world.called('extendExperiment')).toMatchObject([{ byMs: 48 * HOUR, actor: 'ada', reason: 'more time' }]);
    expect(cycle.status.experiment).toMatchObject({ extensions: 1 });
    expect(cycle.attributes.UnderstudyExperimentEndsAt).toEqual(new Date(start + 168 * HOUR));
  });

  it('comes too late once the last look has come, and does not outlive a decision', async () => {
    const world = new World();
    world.look = (_k, last) => (last ? { decision: 'inconclusive', reason: 'max_duration' } : { decision: 'wait' });
    let late: unknown;
    const { outcome } = await runCycle(world, {
      async during(running) {
        await running.experimenting();
        world.before.set('takeLook', async (input) => {
          if (input.k === 4) late = await update(running, 'extend', { by: '24h' });
        });
      },
    });
    expect(late).toMatch('the last look has come');
    expect(outcome).toMatchObject({ outcome: 'inconclusive', reason: 'max_duration' });
    expect(world.names).not.toContain('extendExperiment');
  });

  it('that came while a look was being taken is carried out after it, without skipping a look', async () => {
    const world = new World();
    world.look = (_k, last) => (last ? { decision: 'inconclusive', reason: 'max_duration' } : { decision: 'wait' });
    await runCycle(world, {
      async during(running) {
        await running.experimenting();
        world.before.set('takeLook', async (input) => {
          if (input.k === 2) await running.signal('extend', { by: '24h' });
        });
      },
    });
    expect(world.called('takeLook').map(({ k }) => k)).toEqual([1, 2, 3, 4, 5]);
    expect(
      world.names.filter((name) => ['takeLook', 'extendExperiment'].includes(name)).indexOf('extendExperiment'),
    ).toBe(2);
  });
});
