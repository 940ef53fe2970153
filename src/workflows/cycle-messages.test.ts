import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CycleMessages, type MessageName } from './cycle-messages.js';

const FLOOR = 1_000_000;
const about = { candidate: 2, actor: 'ada', reason: 'why not' };

function inExperiment(now = FLOOR): CycleMessages {
  const messages = new CycleMessages(() => now);
  messages.about(2);
  messages.open('experiment');
  messages.identify('e-1', FLOOR);
  return messages;
}

describe('messages to a cycle', () => {
  it('never throw and never wake the cycle, whatever they hold, unless they are about its candidate', () => {
    const kinds = fc.constantFrom('promote', 'rollback', 'extend', 'resume', 'halt') as fc.Arbitrary<MessageName>;
    const payload = fc.oneof(
      fc.anything(),
      fc.record({ candidate: fc.integer({ min: 3 }), actor: fc.string(), reason: fc.string(), force: fc.boolean() }),
      fc.record({ experiment: fc.string(), evidence: fc.anything() }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(kinds, payload), { maxLength: 40 }), (all) => {
        const messages = inExperiment();
        for (const [kind, given] of all) {
          const refusal = messages.refusal(kind, given);
          expect(messages.receive(kind, given)).toMatchObject({ taken: refusal === null });
        }
        expect(messages.pending).toBe(false);
        expect(messages.notes.length).toBe(Math.min(20, all.length));
        expect(messages.notes.every(({ taken, note }) => !taken && note.length <= 200)).toBe(true);
      }),
    );
  });

  it('are obeyed only while there is something to obey them for', () => {
    const messages = new CycleMessages(() => FLOOR);
    messages.receive('rollback', about);
    messages.about(2);
    messages.receive('rollback', about);
    expect(messages.pending).toBe(false);
    messages.open('experiment');
    expect(messages.rollback).toBe(null);
    messages.receive('rollback', about);
    expect(messages.pending).toBe(true);
    messages.close();
    expect(messages.pending).toBe(false);
  });

  it('to promote are taken from the floor on, before it only with force, and only once', () => {
    const early = inExperiment(FLOOR - 1);
    early.receive('promote', about);
    expect(early.promotion).toBe(null);
    early.receive('promote', { ...about, force: true });
    expect(early.promotion).toMatchObject({ ...about, force: true });
    early.receive('promote', { ...about, actor: 'bob', force: true });
    expect(early.promotion!.actor).toBe('ada');
    const onTime = inExperiment(FLOOR);
    onTime.receive('promote', about);
    expect(onTime.promotion).toMatchObject(about);
  });

  it('to halt count for the experiment they name, also when it becomes known only later', () => {
    const messages = new CycleMessages(() => FLOOR);
    messages.about(2);
    messages.open('experiment');
    const evidence = { reason: 'harm', summary: 'x'.repeat(300), n: 140 };
    messages.receive('halt', { experiment: 'e-1', evidence });
    messages.receive('halt', { experiment: 'e-2', evidence });
    expect(messages.pending).toBe(false);
    messages.identify('e-1', FLOOR);
    expect(messages.pending).toBe(true);
    expect(messages.haltOf('e-1')!.summary).toHaveLength(200);
    expect(messages.haltOf('e-0')).toBe(null);
  });

  it('to resume count only while the cycle is parked', () => {
    const messages = inExperiment();
    messages.receive('resume', { actor: 'ada' });
    expect(messages.resumes).toBe(0);
    messages.parked(true);
    messages.receive('resume', { actor: 'ada', skip: true });
    expect(messages).toMatchObject({ resumes: 1, lastResume: { skip: true } });
  });

  it('that turn out impossible are recorded as dropped', () => {
    const messages = inExperiment();
    messages.receive('promote', about);
    messages.drop('promotion', 'rejected first');
    messages.drop('promotion', 'nothing there');
    expect(messages.pending).toBe(false);
    expect(messages.notes.map(({ note }) => note)).toEqual(['why not', 'rejected first']);
  });
});
