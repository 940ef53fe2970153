import { describe, expect, it } from 'vitest';
import { CANARY, useTimeSkipping } from './time-skipping.js';
import { HOUR, World } from './world.js';

const { runCycle } = useTimeSkipping();

describe('an experiment that cannot finish', () => {
  it('is warned of as soon as the cycle has opened; the end shows the corrected effect', async () => {
    const world = new World();
    world.warning = 'The experiment cannot finish in 5.0 days.';
    const estimate = { median: 0.05, interval: [0.01, 0.09] as [number, number] };
    world.look = () => ({ decision: 'promote', reason: 'significant', estimate });
    const seen: (string | undefined)[] = [];
    const { status, outcome } = await runCycle(world, {
      async during({ passUntil }) {
        const early = await passUntil(({ cycleId }) => cycleId !== null);
        seen.push(early.warning);
      },
    });
    expect(seen).toEqual([world.warning]);
    expect(status.looks.at(-1)).toMatchObject({ estimate });
    expect(outcome).toMatchObject({ outcome: 'promoted', evidence: { estimate } });
  });
});

describe('a step that cannot go on', () => {
  it('parks the cycle after its retries, and goes on where it was at a resume: no second job', async () => {
    const world = new World();
    let away = true;
    world.fail('followTraining', 'trainer_unreachable', { url: 'http://trainer', detail: 'ECONNREFUSED' }, () => away);
    const cycle = await runCycle(world, {
      golden: 'promoted-after-parking',
      async during({ handle, passUntil, signal }) {
        const { needsOperator, phase } = await passUntil(({ needsOperator }) => needsOperator !== null);
        expect(phase).toBe('training');
        expect(needsOperator).toMatchObject({ step: 'followTraining' });
        expect(needsOperator!.problem).toMatch(/^trainer_unreachable: The trainer at http:\/\/trainer does not answer/);
        const { searchAttributes } = await handle.describe();
        expect(searchAttributes?.UnderstudyNeedsOperator).toEqual([true]);
        away = false;
        await signal('resume', { actor: 'ada' });
      },
    });
    expect(cycle.outcome?.outcome).toBe('promoted');
    expect(cycle.attributes.UnderstudyNeedsOperator).toBe(false);
    expect(cycle.status.needsOperator).toBe(null);
    expect(world.called('submitTraining')).toHaveLength(1);
    expect(world.jobs.size).toBe(1);
  });

  it('parks again when it still fails', async () => {
    const world = new World();
    let repaired = false;
    world.fail(
      'loadVersion',
      'serving_unreachable',
      { url: 'http://replica', detail: 'ECONNREFUSED' },
      () => !repaired,
    );
    const since: string[] = [];
    const { outcome } = await runCycle(world, {
      async during({ passUntil, signal }) {
        for (const last of [false, true]) {
          const { needsOperator } = await passUntil(
            (status) => ![undefined, ...since].includes(status.needsOperator?.since),
          );
          since.push(needsOperator!.since);
          repaired = last;
          await signal('resume', { actor: 'ada' });
        }
      },
    });
    expect(since).toHaveLength(2);
    expect(outcome?.outcome).toBe('promoted');
  });

  it('is parked also for what looks final but can be put right, such as a golden set', async () => {
    const world = new World();
    let broken = true;
    world.fail('evaluate', 'golden_set_too_small', { n: 3 }, () => broken);
    const { outcome } = await runCycle(world, {
      async during({ until, signal }) {
        const { needsOperator } = await until(({ needsOperator }) => needsOperator !== null);
        expect(needsOperator!.problem).toMatch(/^golden_set_too_small/);
        broken = false;
        await signal('resume', { actor: 'ada' });
      },
    });
    expect(outcome?.outcome).toBe('promoted');
  });

  it('lets a rollback through while a look is parked', async () => {
    const world = new World();
    world.fail('takeLook', 'database_unreachable', { detail: 'ECONNREFUSED' });
    const { outcome } = await runCycle(world, {
      async during({ experimenting, pass, passUntil, signal }) {
        await experimenting();
        await pass(48 * HOUR);
        await passUntil(({ needsOperator }) => needsOperator?.step === 'takeLook');
        await signal('rollback', { candidate: 2, actor: 'ada', reason: 'enough' });
      },
    });
    expect(outcome).toMatchObject({ outcome: 'rolled_back', reason: 'operator' });
    expect(world.leftBehind).toEqual([]);
  });
});

describe('a message', () => {
  it('about another candidate is ignored and recorded', async () => {
    const world = new World();
    const { outcome, status } = await runCycle(world, {
      golden: 'promoted-late-signal',
      async during({ experimenting, pass, signal, until }) {
        await experimenting();
        await pass(HOUR);
        await signal('rollback', { candidate: 1, actor: 'ada', reason: 'too late' });
        await signal('promote', { candidate: 1, actor: 'ada', reason: 'too late', force: true });
        await until(({ messages }) => messages.length === 2);
      },
    });
    expect(outcome).toMatchObject({ outcome: 'promoted', reason: 'significant' });
    expect(status.messages).toMatchObject([
      { signal: 'rollback', candidate: 1, taken: false, note: 'about version 1, but the candidate is 2' },
      { signal: 'promote', candidate: 1, taken: false, note: 'about version 1, but the candidate is 2' },
    ]);
  });

  it('that comes before there is a candidate, or when there is nothing to do, is ignored and recorded', async () => {
    const world = new World();
    const notes: string[] = [];
    const about = { candidate: 2, actor: 'ada', reason: 'why not' };
    await runCycle(world, {
      async during({ signal, until, experimenting, baking }) {
        let release: () => void = () => undefined;
        const held = new Promise<void>((resolve) => {
          release = resolve;
        });
        world.before.set('followTraining', () => held);
        await until(({ phase }) => phase === 'training');
        await signal('rollback', about);
        await signal('resume', { actor: 'ada' });
        await until(({ messages }) => messages.length === 2);
        release();
        await experimenting();
        await baking();
        await signal('promote', about);
        const { messages } = await until(({ messages }) => messages.length === 3);
        notes.push(...messages.map(({ note }) => note));
      },
    });
    expect(notes).toEqual([
      'there is no candidate yet; to stop this cycle, cancel the workflow',
      'the cycle is not waiting for an operator',
      'already promoted',
    ]);
    expect(world.route.champion).toBe(2);
  });

  it('that is not valid, or of no known name, is ignored and never breaks the cycle', async () => {
    const world = new World();
    const { outcome, status } = await runCycle(world, {
      async during({ experimenting, signal, until }) {
        await experimenting();
        await signal('promote', { candidate: '2', actor: '', surprise: CANARY.length });
        await signal('rollback', undefined);
        await signal('halt', { experiment: 'experiment-1', evidence: { reason: 'mood' } });
        await signal('resume', [1, 2]);
        await signal('dance', {});
        await signal('halt', { experiment: 'experiment-0', evidence: { reason: 'harm', summary: 'an old one' } });
        await until(({ messages }) => messages.length === 6);
      },
    });
    expect(outcome?.outcome).toBe('promoted');
    expect(status.messages.map(({ taken }) => taken)).toEqual(Array(6).fill(false));
    expect(status.messages[0]!.note).toMatch(/^not valid: .*candidate.*actor/);
    expect(status.messages[5]!.note).toBe('about experiment experiment-0, which is not the present one');
  });

  it('to halt is obeyed even when it comes before the cycle knows its experiment', async () => {
    const world = new World();
    const { outcome } = await runCycle(world, {
      async during({ until, signal }) {
        let release: () => void = () => undefined;
        const held = new Promise<void>((resolve) => {
          release = resolve;
        });
        world.before.set('startExperiment', () => held);
        await until(({ phase }) => phase === 'experimenting');
        await signal('halt', { experiment: 'experiment-1', evidence: { reason: 'harm', summary: 'at once' } });
        await until(({ messages }) => messages.length === 1);
        release();
      },
    });
    expect(outcome).toMatchObject({ outcome: 'rejected', reason: 'harm' });
    expect(world.leftBehind).toEqual([]);
  });
});
