import { describe, expect, it } from 'vitest';
import { useTimeSkipping } from './time-skipping.js';
import { HOUR, World } from './world.js';

const { runCycle } = useTimeSkipping();
const MINUTE = HOUR / 60;
const about = { candidate: 2, actor: 'ada', reason: 'the launch is tomorrow' };

describe('a candidate that is better', () => {
  it('is not promoted one minute before 48 hours have passed, and is promoted after', async () => {
    const world = new World();
    const cycle = await runCycle(world, {
      golden: 'promoted-significant',
      async during({ experimenting, pass, status }) {
        await experimenting();
        await pass(48 * HOUR - MINUTE);
        expect((await status()).looks).toEqual([]);
        expect(world.route.champion).toBe(1);
        expect(world.names).not.toContain('takeLook');
      },
    });
    expect(cycle.outcome).toMatchObject({ outcome: 'promoted', reason: 'significant', champion: 2, candidate: 2 });
    const [started] = world.called('startExperiment');
    const [promoted] = world.called('promote');
    const waited = Date.parse(promoted!.asOf as string) - Date.parse(started!.asOf as string);
    expect(waited).toBeGreaterThanOrEqual(48 * HOUR);
    expect(waited).toBeLessThan(48 * HOUR + MINUTE);
    expect(promoted).toMatchObject({ forced: false, actor: 'cycle' });
    expect(world.route).toMatchObject({ champion: 2, previous: 1, challenger: null });
    expect(world.leftBehind).toEqual([]);
    expect(world.rows[0]).toMatchObject({ outcome: 'promoted', reason: 'significant' });
    // What is looked for a canary in is really readable.
    expect(cycle.text).toContain('{"model":"support-router"}');
  });

  it('goes through every phase in order, and shows where it is', async () => {
    const world = new World();
    const { status, attributes } = await runCycle(world);
    const phases = [
      'curating',
      'training',
      'registering',
      'loading',
      'evaluating',
      'experimenting',
      'promoting',
      'baking',
    ];
    expect(status.phases.map(({ phase }) => phase)).toEqual(['collecting', ...phases]);
    expect(world.rows[0]!.phases).toEqual(phases);
    expect(attributes).toMatchObject({
      UnderstudyModel: 'support-router',
      UnderstudyPhase: 'baking',
      UnderstudyOutcome: 'promoted',
      UnderstudyTrigger: 'manual',
      UnderstudyCandidate: '2',
    });
    const [{ asOf }] = world.called('startExperiment') as [{ asOf: string }];
    const endsAt = new Date(Date.parse(asOf) + 120 * HOUR);
    expect(attributes.UnderstudyExperimentEndsAt).toEqual(endsAt);
    expect(attributes).not.toHaveProperty('UnderstudyNeedsOperator');
  });

  it('answers the query with its numbers while it runs and after it', async () => {
    const { status } = await runCycle(new World());
    expect(status).toMatchObject({
      model: 'support-router',
      champion: 2,
      candidate: 2,
      sandbox: false,
      dataset: { considered: 5_000, kept: 4_000 },
      training: { jobId: 'ftjob-1', firstLoss: 3.1, lastLoss: 0.4 },
      gate: { passed: true },
      looks: [{ k: 1, decision: 'promote', champion: { n: 1_800, x: 1_080 }, z: 3.1, boundary: 1.96 }],
      bake: { checks: [{ summary: 'champion 600/900, holdback 60/100' }] },
      needsOperator: null,
      outcome: { outcome: 'promoted' },
    });
  });

  it('keeps its key and its lease over retries: one job, one row', async () => {
    const world = new World();
    let lost = 0;
    world.before.set('closeCycle', () => {
      lost += 1;
      if (lost < 3) throw Object.assign(new Error('connection reset'), { code: 'ECONNRESET' });
    });
    const { outcome } = await runCycle(world);
    expect(outcome?.outcome).toBe('promoted');
    expect(world.jobs.size).toBe(1);
    expect([...world.jobs.keys()][0]).toMatch(/^support-router\/[0-9a-f-]{36}$/);
    expect(world.rows).toHaveLength(1);
  });
});

describe('looks', () => {
  it('come at 48, 72, 96 and 120 hours, and the last one says that it is the last', async () => {
    const world = new World();
    world.look = (_k, last) => (last ? { decision: 'inconclusive', reason: 'max_duration' } : { decision: 'wait' });
    const { outcome } = await runCycle(world);
    expect(outcome).toMatchObject({ outcome: 'inconclusive', reason: 'max_duration', champion: 1 });
    const start = Date.parse(world.called('startExperiment')[0]!.asOf as string);
    const looks = world.called('takeLook');
    expect(looks.map(({ k, isLast }) => [k, isLast])).toEqual([
      [1, false],
      [2, false],
      [3, false],
      [4, true],
    ]);
    const hours = looks.map(({ asOf }) => (Date.parse(asOf as string) - start) / HOUR);
    expect(hours.map(Math.round)).toEqual([48, 72, 96, 120]);
    for (const [i, hour] of hours.entries()) expect(hour).toBeGreaterThanOrEqual(48 + 24 * i);
  });

  it('that were slept through are taken once, late', async () => {
    const world = new World();
    world.look = (_k, last) => (last ? { decision: 'inconclusive', reason: 'max_duration' } : { decision: 'wait' });
    let tries = 0;
    // Postgres is away for a little longer than a day, from the first look on.
    world.before.set('takeLook', (input) => {
      const started = Date.parse(world.called('startExperiment')[0]!.asOf as string);
      tries += 1;
      if (tries <= 12 && Date.parse(input.asOf as string) < started + 60 * HOUR)
        throw Object.assign(new Error('away'), { code: 'ECONNREFUSED' });
    });
    await runCycle(world, {
      async during({ experimenting, pass, passUntil, signal }) {
        await experimenting();
        await pass(48 * HOUR);
        await passUntil(({ needsOperator }) => needsOperator?.step === 'takeLook');
        await pass(49 * HOUR);
        await signal('resume', { actor: 'ada' });
      },
    });
    expect(world.called('takeLook').map(({ k }) => k)).toEqual([1, 3, 4]);
  });
});

describe('promoting by hand', () => {
  it('before the floor needs force, and is recorded as forced', async () => {
    const world = new World();
    const cycle = await runCycle(world, {
      golden: 'promoted-forced',
      async during({ experimenting, until, pass, signal, status }) {
        await experimenting();
        await pass(3 * HOUR);
        await signal('promote', about);
        const { messages } = await until(({ messages }) => messages.length === 1);
        expect(messages[0]).toMatchObject({ signal: 'promote', actor: 'ada', taken: false });
        expect(messages[0]!.note).toMatch(/before the floor \(.*\); "force": true/);
        expect((await status()).phase).toBe('experimenting');
        await signal('promote', { ...about, force: true, request_id: 'r-1' });
      },
    });
    expect(cycle.outcome).toMatchObject({ outcome: 'promoted', reason: 'forced', champion: 2 });
    expect(cycle.outcome!.evidence).toMatchObject({ actor: 'ada', before_floor: true });
    const [promotion] = world.called('promote');
    expect(promotion).toMatchObject({ forced: true, actor: 'ada', reason: 'before the floor: the launch is tomorrow' });
    expect(promotion!.requestId).toMatch(/promote\/r-1$/);
    expect(world.called('takeLook')).toEqual([]);
    expect(world.leftBehind).toEqual([]);
  });

  it('after the floor needs no force, and is still not called significant', async () => {
    const world = new World();
    world.look = () => ({ decision: 'wait' });
    const { outcome } = await runCycle(world, {
      async during({ experimenting, until, pass, signal }) {
        await experimenting();
        await pass(50 * HOUR);
        await until(({ looks }) => looks.length === 1);
        await signal('promote', about);
      },
    });
    expect(outcome).toMatchObject({ outcome: 'promoted', reason: 'forced', evidence: { before_floor: false } });
    expect(world.called('promote')[0]).toMatchObject({ forced: true, actor: 'ada', reason: 'the launch is tomorrow' });
  });

  it('does not outweigh a look that rejects at the same time', async () => {
    const world = new World();
    world.look = () => ({ decision: 'reject', reason: 'harm' });
    let signalled: Promise<void> | undefined;
    const { outcome, status } = await runCycle(world, {
      async during({ experimenting, signal }) {
        await experimenting();
        world.before.set('takeLook', () => {
          signalled = signal('promote', { ...about, force: true });
          return signalled;
        });
      },
    });
    await signalled;
    expect(outcome).toMatchObject({ outcome: 'rejected', reason: 'harm', champion: 1 });
    expect(status.messages.at(-1)).toMatchObject({ signal: 'promote', taken: false });
    expect(world.names).not.toContain('promote');
  });
});
