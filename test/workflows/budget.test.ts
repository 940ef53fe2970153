import { describe, expect, it } from 'vitest';
import { useTimeSkipping } from './time-skipping.js';
import { HOUR, World } from './world.js';

const { runCycle } = useTimeSkipping();
const KIB = 1_024;
/** As long as a reason may be. */
const LONG = 'x'.repeat(200);

/** Every sentence is as long as it may be, every id as long as it is in real life. */
function wordyWorld(): World {
  const world = new World(`model-${'n'.repeat(58)}`);
  world.gate = { summary: LONG };
  return world;
}

describe('the history', () => {
  it('of a cycle with three looks stays within 150 events and 128 KB', async () => {
    const world = wordyWorld();
    world.look = (k) => ({ decision: k === 3 ? 'promote' : 'wait', reason: null, summary: LONG });
    const cycle = await runCycle(world);
    expect(cycle.outcome?.outcome).toBe('promoted');
    expect(world.called('takeLook')).toHaveLength(3);
    console.log(`three looks: ${cycle.events} events, ${cycle.bytes} bytes`);
    expect(cycle.events).toBeLessThanOrEqual(150);
    expect(cycle.bytes).toBeLessThanOrEqual(128 * KIB);
  });

  it('of a cycle that was extended as far as it may be stays within the same, whatever it was extended in', async () => {
    const world = wordyWorld();
    world.plan.maxDurationMs = 48 * HOUR + 2 * HOUR;
    world.plan.lookEveryMs = HOUR;
    world.look = (_k, last) => ({ decision: last ? 'promote' : 'wait', reason: null, summary: LONG });
    let away = true;
    world.fail('submitTraining', 'trainer_unreachable', { url: LONG, detail: LONG }, () => away);
    const cycle = await runCycle(world, {
      async during({ handle, passUntil, signal, experimenting, pass, until }) {
        await passUntil(({ needsOperator }) => needsOperator !== null);
        away = false;
        await signal('resume', { actor: LONG });
        await experimenting();
        await pass(HOUR);
        for (const times of [1, 2, 3, 4, 5, 6]) {
          await handle.executeUpdate('extend', {
            args: [{ by: '1h', actor: LONG, reason: LONG, request_id: `r-${times}` }],
          });
          await until(({ experiment }) => experiment?.extensions === times);
        }
        const more = handle.executeUpdate('extend', { args: [{ by: '1h', actor: 'ada' }] });
        await expect(more).rejects.toMatchObject({ cause: { message: expect.stringContaining('cannot be extended') } });
      },
    });
    expect(cycle.outcome?.outcome).toBe('promoted');
    expect(world.called('takeLook')).toHaveLength(9);
    console.log(`extended: ${cycle.events} events, ${cycle.bytes} bytes`);
    expect(cycle.events).toBeLessThanOrEqual(400);
    expect(cycle.bytes).toBeLessThanOrEqual(256 * KIB);
  });

  it('of a cycle with as many looks as it may have, copies first, two approvals and a freeze stays within the same', async () => {
    const world = wordyWorld();
    const approval = { approval: 'manual', approvalTimeoutMs: 72 * HOUR, approvals: 2, shadowFirst: true } as const;
    world.plan = { ...world.plan, ...approval, maxDurationMs: 48 * HOUR + 17 * HOUR, lookEveryMs: HOUR };
    world.look = (_k, last) => ({ decision: last ? 'promote' : 'wait', reason: null, summary: LONG });
    world.frozenUntil = (at) => {
      const thaw = world.experiments.get('experiment-1')!.startedAt + 100 * HOUR;
      return at < thaw ? thaw : null;
    };
    let away = true;
    world.fail('submitTraining', 'trainer_unreachable', { url: LONG, detail: LONG }, () => away);
    const cycle = await runCycle(world, {
      async during({ handle, passUntil, signal, experimenting, pass, until }) {
        await passUntil(({ needsOperator }) => needsOperator !== null);
        away = false;
        await signal('resume', { actor: LONG });
        await until(({ shadow }) => shadow !== undefined);
        await pass(24 * HOUR);
        await experimenting();
        await pass(65 * HOUR);
        await until(({ approval }) => approval != null);
        for (const identity of ['1', '2'])
          await handle.executeUpdate('promote', { args: [{ candidate: 2, actor: LONG, reason: LONG, identity }] });
      },
    });
    expect(cycle.outcome?.outcome).toBe('promoted');
    expect(world.called('takeLook')).toHaveLength(18);
    console.log(`approved and frozen: ${cycle.events} events, ${cycle.bytes} bytes`);
    expect(cycle.events).toBeLessThanOrEqual(400);
    expect(cycle.bytes).toBeLessThanOrEqual(256 * KIB);
  });

  it('of the longest cycle, with all looks that a policy may ask for, parking and messages, within 400 and 256 KB', async () => {
    const world = wordyWorld();
    world.plan.maxDurationMs = 48 * HOUR + 20 * HOUR;
    world.plan.lookEveryMs = HOUR;
    world.look = (_k, last) => ({ decision: last ? 'promote' : 'wait', reason: null, summary: LONG });
    let away = true;
    world.fail('submitTraining', 'trainer_unreachable', { url: LONG, detail: LONG }, () => away);
    const cycle = await runCycle(world, {
      golden: 'promoted-longest',
      async during({ passUntil, signal, experimenting, pass, until }) {
        await passUntil(({ needsOperator }) => needsOperator !== null);
        away = false;
        await signal('resume', { actor: LONG });
        const { experiment } = await experimenting();
        await pass(HOUR);
        await signal('promote', { candidate: 2, actor: LONG, reason: LONG });
        await signal('rollback', { candidate: 9, actor: LONG, reason: LONG });
        await signal('halt', { experiment: `${experiment!.id}-other`, evidence: { reason: 'harm', summary: LONG } });
        await until(({ messages }) => messages.length === 4);
      },
    });
    expect(cycle.outcome?.outcome).toBe('promoted');
    expect(world.called('takeLook')).toHaveLength(21);
    console.log(`longest: ${cycle.events} events, ${cycle.bytes} bytes`);
    expect(cycle.events).toBeLessThanOrEqual(400);
    expect(cycle.bytes).toBeLessThanOrEqual(256 * KIB);
  });
});
