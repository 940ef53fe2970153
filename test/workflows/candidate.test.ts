import { describe, expect, it } from 'vitest';
import { useTimeSkipping } from './time-skipping.js';
import { HOUR, World } from './world.js';

const { runCycle } = useTimeSkipping();
const input = { model: 'support-router', candidate: 7 };

/** A world with a version that was made elsewhere. */
function withVersion(state: 'candidate' | 'archived' | 'rejected' = 'candidate'): World {
  const world = new World();
  world.versions.set(7, state);
  return world;
}

describe('copies before people', () => {
  const shadowed = () => {
    const world = new World();
    world.plan = { ...world.plan, shadowFirst: true };
    return world;
  };

  it('come between evaluation and experiment, and are waited for', async () => {
    const world = shadowed();
    const cycle = await runCycle(world, {
      golden: 'promoted-shadow-first',
      async during({ until }) {
        await until(({ shadow }) => shadow !== undefined);
        expect(world.route).toMatchObject({ champion: 1, challenger: null });
        expect(world.shadow).toBe(2);
      },
    });
    expect(cycle.outcome).toMatchObject({ outcome: 'promoted' });
    expect(cycle.status.phases.map(({ phase }) => phase).slice(5, 8)).toEqual([
      'evaluating',
      'shadowing',
      'experimenting',
    ]);
    const [began, ended] = [world.called('shadowCandidate')[0]!.asOf, world.called('judgeShadow')[0]!.asOf] as string[];
    expect(Date.parse(ended!) - Date.parse(began!)).toBeGreaterThanOrEqual(24 * HOUR);
    expect(cycle.status.shadow).toMatchObject({ passed: true, summary: '4 of 400 failed' });
    expect(world.leftBehind).toEqual([]);
  });

  it('that it fails, or that are too few to tell, keep it from people', async () => {
    const bad = shadowed();
    bad.trial = { passed: false, failed: 40 };
    const rejected = await runCycle(bad, { golden: 'rejected-shadow' });
    expect(rejected.outcome).toMatchObject({
      outcome: 'rejected',
      reason: 'shadow',
      evidence: { copies: 400, failed: 40 },
    });
    expect(bad.versions.get(2)).toBe('rejected');
    const quiet = shadowed();
    quiet.trial = { passed: false, enough: false, n: 3 };
    const { outcome } = await runCycle(quiet);
    expect(outcome).toMatchObject({ outcome: 'inconclusive', reason: 'not_enough_data', champion: 1 });
    expect(quiet.versions.get(2)).toBe('archived');
    expect([...bad.names, ...quiet.names]).not.toContain('startExperiment');
    expect([...bad.leftBehind, ...quiet.leftBehind]).toEqual([]);
  });

  it('end when the cycle is cancelled', async () => {
    const world = shadowed();
    const cycle = await runCycle(world, {
      golden: 'canceled-shadowing',
      async during({ until, cancel }) {
        await until(({ shadow }) => shadow !== undefined);
        await cancel();
      },
    });
    expect(cycle.canceled).toBe(true);
    expect(world.names).toContain('endShadow');
    expect(world.leftBehind).toEqual([]);
  });
});

describe('a cycle with a candidate', () => {
  it('begins with loading it, and takes it through the same gate as any other', async () => {
    const world = withVersion('archived');
    const cycle = await runCycle(world, { input, golden: 'promoted-candidate' });
    expect(cycle.outcome).toMatchObject({ outcome: 'promoted', reason: 'significant', candidate: 7, champion: 7 });
    const phases = ['loading', 'evaluating', 'experimenting', 'promoting', 'baking'];
    expect(cycle.status.phases.map(({ phase }) => phase)).toEqual(phases);
    expect(world.names).not.toContain('collect');
    expect(world.names.slice(0, 4).filter((name) => name !== 'recordPhase')).toEqual([
      'openCycle',
      'adoptVersion',
      'loadVersion',
    ]);
    expect(cycle.attributes).toMatchObject({ UnderstudyCandidate: '7', UnderstudyPhase: 'baking' });
    expect(world.route).toMatchObject({ champion: 7, previous: 1 });
    expect(world.leftBehind).toEqual([]);
  });

  it('that fails the gate never meets live traffic', async () => {
    const world = withVersion();
    world.gate = { passed: false };
    const { outcome } = await runCycle(world, { input });
    expect(outcome).toMatchObject({ outcome: 'rejected', reason: 'evaluation', champion: 1 });
    expect(world.versions.get(7)).toBe('rejected');
    expect(world.names).not.toContain('startExperiment');
  });

  it('that does not exist or was rejected fails at once, and leaves nothing behind', async () => {
    const unknown = new World();
    expect((await runCycle(unknown, { input })).failure).toMatchObject({ type: 'unknown_version' });
    const rejected = withVersion('rejected');
    expect((await runCycle(rejected, { input })).failure).toMatchObject({ type: 'version_rejected' });
    expect(rejected.versions.get(7)).toBe('rejected');
    expect([...unknown.leftBehind, ...rejected.leftBehind]).toEqual([]);
    const wrong = await runCycle(new World(), { input: { ...input, candidate: 0 } });
    expect(wrong.failure).toMatchObject({ type: 'invalid_request' });
  });

  it('that is cancelled puts the version into the archive', async () => {
    const world = withVersion();
    const cycle = await runCycle(world, {
      input,
      golden: 'canceled-candidate',
      async during({ experimenting, cancel }) {
        await experimenting();
        await cancel();
      },
    });
    expect(cycle.canceled).toBe(true);
    expect(world.versions.get(7)).toBe('archived');
    expect(world.leftBehind).toEqual([]);
  });
});
