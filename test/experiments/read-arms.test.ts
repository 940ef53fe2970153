import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { championHistory, readArms } from '../../src/experiments/index.js';
import { sumArm } from '../../src/stats/index.js';
import { useTestDatabase } from '../support/database.js';
import {
  insertExposures,
  insertFeedback,
  insertInteractions,
  type SeededExposure,
  type SeededFeedback,
  type SeededInteraction,
  subjectOf,
  uuid7,
} from '../support/experiment-data.js';

const database = await useTestDatabase();
const { db } = database;

const START = Date.parse('2026-11-20T12:00:00Z');
/** Seconds after the start. */
const at = (seconds: number) => new Date(START + seconds * 1_000);
/** T = 100 s, feedback window 20 s: the cut holds what was asked until 80 s. */
const T = 100;
const WINDOW = 20;

function world() {
  const experimentId = randomUUID();
  const exposures: SeededExposure[] = [];
  const interactions: (SeededInteraction & { id: string })[] = [];
  const feedback: SeededFeedback[] = [];
  return {
    experimentId,
    exposures,
    interactions,
    feedback,
    expose(name: string, arm: 'champion' | 'challenger', seconds: number) {
      exposures.push({ experimentId, subject: subjectOf(name), arm, exposedAt: at(seconds) });
    },
    ask(name: string, arm: 'champion' | 'challenger', seconds: number, more: Partial<SeededInteraction> = {}) {
      const id = uuid7(at(seconds));
      const assignedVersion = arm === 'champion' ? 1 : 2;
      interactions.push({
        model: 'm',
        experimentId,
        arm,
        subject: subjectOf(name),
        askedAt: at(seconds),
        assignedVersion,
        ...more,
        id,
      });
      return id;
    },
    say(interactionId: string, kind: string, body: object, seconds: number, more: Partial<SeededFeedback> = {}) {
      feedback.push({ interactionId, kind, body, receivedAt: at(seconds), ...more });
    },
    async read(seconds = T, feedbackWindowMs = WINDOW * 1_000) {
      await insertExposures(db, exposures.splice(0));
      await insertInteractions(db, interactions.splice(0));
      await insertFeedback(db, feedback.splice(0));
      return readArms(db, {
        experimentId,
        secondArm: 'challenger',
        asOf: at(seconds),
        feedbackWindowMs,
        minRating: 0.75,
      });
    },
  };
}

const EMPTY = sumArm([]);

describe('readArms', () => {
  it('answers zeros for an experiment nobody has met', async () => {
    const { champion, second, crossed } = await world().read();
    expect({ champion, second, crossed }).toEqual({ champion: EMPTY, second: EMPTY, crossed: 0 });
  });

  it('leaves out interactions younger than the feedback window, but counts their requests', async () => {
    const w = world();
    w.expose('a', 'challenger', 1);
    for (const seconds of [10, 80, 81]) w.say(w.ask('a', 'challenger', seconds), 'thumbs', { value: 1 }, 90);
    const { second } = await w.read();
    expect(second).toEqual(sumArm([{ e: 2, m: 2, x: 2 }], { requests: 3, errors: 0 }));
  });

  it('leaves out feedback received after T, and takes it in at a later T', async () => {
    const w = world();
    w.expose('a', 'challenger', 1);
    const id = w.ask('a', 'challenger', 10);
    w.say(id, 'thumbs', { value: 1 }, 101);
    expect((await w.read()).second).toMatchObject({ E: 1, n: 0, N: 0, S: 1, O: 1 });
    expect((await w.read(101)).second).toMatchObject({ E: 1, n: 1, x: 1, N: 1 });
  });

  it('lets late feedback override earlier feedback, the id deciding within one instant', async () => {
    const w = world();
    w.expose('a', 'challenger', 1);
    const id = w.ask('a', 'challenger', 10);
    w.say(id, 'thumbs', { value: 1 }, 20);
    w.say(id, 'thumbs', { value: -1 }, 30);
    const [low, high] = [randomUUID(), randomUUID()].sort();
    const second = w.ask('a', 'challenger', 11);
    w.say(second, 'thumbs', { value: -1 }, 40, { id: low! });
    w.say(second, 'thumbs', { value: 1 }, 40, { id: high! });
    expect((await w.read()).second).toMatchObject({ n: 2, x: 1 });
    expect((await w.read(29, 0)).second).toMatchObject({ n: 1, x: 1 });
  });

  it('does not let feedback without an outcome override feedback that has one', async () => {
    const w = world();
    w.expose('a', 'challenger', 1);
    const id = w.ask('a', 'challenger', 10, { answer: 'Paris' });
    w.say(id, 'thumbs', { value: 1 }, 20);
    w.say(id, 'thumbs', { value: 0 }, 21);
    w.say(id, 'comment', { value: 'hm' }, 22);
    w.say(id, 'score', { name: 'quality', value: 0 }, 23);
    w.say(id, 'correction', { value: ' Paris\n' }, 24);
    w.say(id, 'rating', { value: 'many', min: 1, max: 5 }, 25);
    w.say(id, 'rating', { value: 1, min: 5, max: 5 }, 26);
    expect((await w.read()).second).toMatchObject({ n: 1, x: 1 });
  });

  it('takes a retraction back in only from its instant on', async () => {
    const w = world();
    w.expose('a', 'challenger', 1);
    const id = w.ask('a', 'challenger', 10);
    w.say(id, 'thumbs', { value: 1 }, 20);
    w.say(id, 'thumbs', { value: -1 }, 30, { retractedAt: at(60) });
    expect((await w.read(59, 0)).second).toMatchObject({ n: 1, x: 0 });
    expect((await w.read(60, 0)).second).toMatchObject({ n: 1, x: 1 });
  });

  it('counts a rating from min_rating of its range on as positive, to the last decimal', async () => {
    const w = world();
    w.expose('a', 'champion', 1);
    for (const [value, min, max] of [
      [4, 1, 5],
      [3.999999, 1, 5],
      [5, 1, 5],
      [0.75, 0, 1],
      [0.7499999999999999, 0, 1],
      [-1, -4, 0],
    ] as const) {
      w.say(w.ask('a', 'champion', 10), 'rating', { value, min, max }, 20);
    }
    expect((await w.read()).champion).toMatchObject({ n: 6, x: 4 });
  });

  it('counts a correction that differs from the answer as negative, and one that repeats it not at all', async () => {
    const w = world();
    w.expose('a', 'champion', 1);
    w.say(w.ask('a', 'champion', 10, { answer: 'Paris' }), 'correction', { value: 'Rome' }, 20);
    w.say(w.ask('a', 'champion', 11, { answer: 'Paris' }), 'correction', { value: 'Paris' }, 20);
    expect((await w.read()).champion).toMatchObject({ E: 2, n: 1, x: 0 });
  });

  it('drops subjects seen in both arms from everything but O, and counts them', async () => {
    const w = world();
    w.expose('a', 'champion', 1);
    w.expose('a', 'challenger', 50);
    w.expose('b', 'challenger', 2);
    w.expose('c', 'champion', 3);
    for (const [name, arm] of [
      ['a', 'champion'],
      ['a', 'challenger'],
      ['b', 'challenger'],
      ['c', 'champion'],
    ] as const) {
      w.say(w.ask(name, arm, 60), 'thumbs', { value: 1 }, 70);
    }
    const cut = await w.read();
    expect(cut.crossed).toBe(1);
    expect(cut.champion).toEqual({ ...sumArm([{ e: 1, m: 1, x: 1 }], { requests: 2 }), O: 2 });
    expect(cut.second).toEqual(sumArm([{ e: 1, m: 1, x: 1 }], { requests: 2 }));
    // Before the crossing the subject was an ordinary one.
    expect((await w.read(49, 0)).crossed).toBe(0);
  });

  it('takes a subject whose request ran under the other arm for one that crossed, even without an exposure', async () => {
    const w = world();
    w.expose('a', 'champion', 1);
    w.ask('a', 'champion', 10);
    w.ask('a', 'challenger', 11);
    expect(await w.read()).toMatchObject({ crossed: 1, champion: { O: 1, S: 0 }, second: { O: 0, S: 0, requests: 1 } });
  });

  it('counts failed, incomplete and fall-back requests against the assigned arm', async () => {
    const w = world();
    w.expose('a', 'challenger', 1);
    w.ask('a', 'challenger', 10);
    w.ask('a', 'challenger', 11, { version: 1, fallBack: true });
    w.ask('a', 'challenger', 12, { version: null, status: 'failed' });
    w.ask('a', 'challenger', 13, { status: 'incomplete' });
    w.ask('a', 'challenger', 101, { version: 1, fallBack: true });
    // The champion answered alone because its gateway was cut off: that says nothing about the challenger.
    w.ask('a', 'challenger', 14, { version: 1 });
    const { champion, second } = await w.read();
    expect(second).toMatchObject({ requests: 5, errors: 3, E: 5 });
    expect(champion).toMatchObject({ requests: 0, errors: 0 });
  });

  it('counts nothing that was asked before the first exposure, in another experiment, or recorded after T', async () => {
    const w = world();
    w.expose('a', 'champion', 30);
    w.ask('a', 'champion', 29);
    w.ask('a', 'champion', 30);
    w.ask('a', 'champion', 31, { receivedAt: at(101) });
    w.ask('a', 'champion', 40, { experimentId: randomUUID() });
    expect((await w.read()).champion).toMatchObject({ O: 1, E: 1, requests: 2 });
  });

  it('gives the same digest for the same cut, and another one for any other', async () => {
    const w = world();
    w.expose('a', 'champion', 1);
    const id = w.ask('a', 'champion', 10);
    w.say(id, 'thumbs', { value: 1 }, 20);
    const first = await w.read();
    expect(await w.read()).toEqual(first);
    w.say(id, 'thumbs', { value: -1 }, 99);
    expect((await w.read()).digest).not.toBe(first.digest);
    expect((await w.read(98)).digest).not.toBe(first.digest);
  });

  it('agrees with sums made by hand over any traffic', async () => {
    const seconds = fc.integer({ min: 0, max: 120 });
    const arm = fc.constantFrom('champion' as const, 'challenger' as const);
    const said = fc.record({
      kind: fc.constantFrom('thumbs', 'correction', 'comment'),
      value: fc.constantFrom(-1, 0, 1),
      seconds,
      retractedAfter: fc.option(fc.integer({ min: 0, max: 60 }), { nil: null }),
    });
    const asked = fc.record({ seconds, fallBack: fc.boolean(), said: fc.array(said, { maxLength: 3 }) });
    const subject = fc.record({
      exposed: seconds,
      arm,
      alsoExposed: fc.option(seconds, { nil: null, freq: 6 }),
      asked: fc.array(asked, { maxLength: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(subject, { maxLength: 8 }), async (subjects) => {
        const w = world();
        type Arm = 'champion' | 'challenger';
        const expected: Record<
          Arm,
          { O: number; counted: { e: number; m: number; x: number }[]; requests: number; errors: number }
        > = {
          champion: { O: 0, counted: [], requests: 0, errors: 0 },
          challenger: { O: 0, counted: [], requests: 0, errors: 0 },
        };
        let crossed = 0;
        subjects.forEach((person, index) => {
          const name = `${w.experimentId}/${index}`;
          w.expose(name, person.arm, person.exposed);
          const also = person.alsoExposed === null ? null : Math.max(person.alsoExposed, person.exposed + 1);
          if (also !== null) w.expose(name, person.arm === 'champion' ? 'challenger' : 'champion', also);
          const counts = { e: 0, m: 0, x: 0 };
          for (const request of person.asked) {
            const id = w.ask(name, person.arm, request.seconds, request.fallBack ? { version: 9, fallBack: true } : {});
            if (request.seconds <= T) {
              expected[person.arm].requests += 1;
              expected[person.arm].errors += request.fallBack ? 1 : 0;
            }
            const outcomes: { received: number; id: string; outcome: number }[] = [];
            for (const { kind, value, seconds: received, retractedAfter } of request.said) {
              const feedbackId = uuid7(at(received));
              const retracted = retractedAfter === null ? null : received + retractedAfter;
              const body = kind === 'thumbs' ? { value } : { value: 'other words' };
              w.say(id, kind, body, received, {
                id: feedbackId,
                retractedAt: retracted === null ? null : at(retracted),
              });
              const outcome =
                kind === 'thumbs' ? ({ [-1]: 0, 0: null, 1: 1 } as const)[value] : kind === 'correction' ? 0 : null;
              if (outcome !== null && received <= T && (retracted === null || retracted > T))
                outcomes.push({ received, id: feedbackId, outcome: outcome! });
            }
            if (request.seconds < person.exposed || request.seconds > T - WINDOW) continue;
            counts.e += 1;
            const latest = outcomes.sort((a, b) => b.received - a.received || (a.id < b.id ? 1 : -1))[0];
            if (latest !== undefined) {
              counts.m += 1;
              counts.x += latest.outcome;
            }
          }
          if (person.exposed > T - WINDOW) return;
          expected[person.arm].O += 1;
          if (also !== null && also <= T) crossed += 1;
          else expected[person.arm].counted.push(counts);
        });
        const cut = await w.read();
        const sums = ({ O, counted, requests, errors }: (typeof expected)[Arm]) => ({
          ...sumArm(counted, { requests, errors }),
          O,
        });
        expect(cut.champion).toEqual(sums(expected.champion));
        expect(cut.second).toEqual(sums(expected.challenger));
        expect(cut.crossed).toBe(crossed);
      }),
      { numRuns: 60 },
    );
  });
});

describe('championHistory', () => {
  const HISTORY = {
    version: 1,
    settings: { experiment: { primary: 'positive_feedback' }, min_rating: 0.75 },
    asOf: at(0),
  };
  const day = 86_400;

  it('knows the positive share and the design effect of what the version answered in the last 30 days', async () => {
    const model = `m-${randomUUID()}`;
    const rows = [
      { name: 'a', ups: 3, downs: 0 },
      { name: 'b', ups: 0, downs: 3 },
      { name: 'c', ups: 1, downs: 1 },
    ];
    for (const { name, ups, downs } of rows) {
      for (let i = 0; i < ups + downs; i++) {
        const [id] = await insertInteractions(db, [
          { model, subject: subjectOf(name), askedAt: at(-10 * day + i), version: 1 },
        ]);
        await insertFeedback(db, [
          { interactionId: id!, kind: 'thumbs', body: { value: i < ups ? 1 : -1 }, receivedAt: at(-9 * day) },
        ]);
      }
    }
    // Too old, of another version, and asked later: none of it counts.
    for (const other of [
      { askedAt: at(-31 * day), version: 1 },
      { askedAt: at(-day), version: 2 },
      { askedAt: at(1), version: 1 },
    ]) {
      const [id] = await insertInteractions(db, [{ model, subject: subjectOf('d'), ...other }]);
      await insertFeedback(db, [{ interactionId: id!, kind: 'thumbs', body: { value: 1 }, receivedAt: other.askedAt }]);
    }
    const prior = await championHistory(db, { model, ...HISTORY });
    expect(prior?.p0).toBe(0.5);
    // V = (3/2)·(1.5² + 1.5² + 0)/8², p(1−p)/n = 1/32.
    expect(prior?.D0).toBeCloseTo((1.5 * 4.5 * 32) / 64, 12);
  });

  it('knows nothing of a version without outcomes, and nothing of one whose outcomes are all alike', async () => {
    const model = `m-${randomUUID()}`;
    expect(await championHistory(db, { model, ...HISTORY })).toBeNull();
    for (const name of ['a', 'b', 'c']) {
      const [id] = await insertInteractions(db, [{ model, subject: subjectOf(name), askedAt: at(-day), version: 1 }]);
      await insertFeedback(db, [{ interactionId: id!, kind: 'thumbs', body: { value: 1 }, receivedAt: at(-day) }]);
    }
    expect(await championHistory(db, { model, ...HISTORY })).toBeNull();
  });
});
