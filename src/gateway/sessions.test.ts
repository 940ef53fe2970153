import { describe, expect, it } from 'vitest';
import type { Route } from '../routing/index.js';
import { createSessions, sessionOf } from './sessions.js';

const MINUTE = 60_000;
const before: Route & { expired: boolean } = {
  model: 'm',
  epoch: 4,
  champion: 1,
  previous: null,
  challenger: 2,
  share: 0.1,
  experimentId: 'e',
  validForMs: 60_000,
  promotedAt: null,
  expired: false,
};
const promoted = (at: number) => ({
  ...before,
  epoch: 5,
  champion: 2,
  previous: 1,
  challenger: 1,
  promotedAt: new Date(at),
});

/** A conversation with version 1, promoted away ten minutes later. */
function conversation() {
  const time = { now: 1_000_000 };
  const sessions = createSessions(() => time.now);
  expect(sessions.versionFor('s', before, 1, 30 * MINUTE)).toBe(1);
  time.now += 10 * MINUTE;
  return { time, sessions, route: promoted(time.now) };
}

describe('a conversation that is under way at a promotion', () => {
  it('stays on its version, and goes on to the new one 30 minutes after', () => {
    const { time, sessions, route } = conversation();
    for (let minute = 0; minute < 30; minute += 10) {
      expect(sessions.versionFor('s', route, 2, 30 * MINUTE)).toBe(1);
      time.now += 10 * MINUTE;
    }
    expect(sessions.versionFor('s', route, 2, 30 * MINUTE)).toBe(2);
  });

  it('is taken along by any change that follows', () => {
    const { sessions, route } = conversation();
    expect(sessions.versionFor('s', route, 2, 30 * MINUTE)).toBe(1);
    expect(sessions.versionFor('s', { ...route, epoch: 6, promotedAt: null }, 2, 30 * MINUTE)).toBe(2);
  });

  it('does not hold on to a version that is not served any more, nor when the route is too old to be trusted', () => {
    const { sessions, route } = conversation();
    expect(sessions.versionFor('s', { ...route, previous: 7, challenger: 7 }, 2, 30 * MINUTE)).toBe(2);
    const other = conversation();
    expect(other.sessions.versionFor('s', { ...other.route, expired: true }, 2, 30 * MINUTE)).toBe(2);
  });

  it('is a new one after it was silent for so long, and without stickiness', () => {
    const { time, sessions } = conversation();
    time.now += 20 * MINUTE;
    expect(sessions.versionFor('s', promoted(time.now), 2, 30 * MINUTE)).toBe(2);
    const other = conversation();
    expect(other.sessions.versionFor('s', other.route, 2, 0)).toBe(2);
  });
});

it('a conversation that begins after the promotion talks to the version that was chosen', () => {
  const { sessions, route } = conversation();
  expect(sessions.versionFor('new', route, 2, 30 * MINUTE)).toBe(2);
});

it('the start of an experiment is not waited for', () => {
  const sessions = createSessions(() => 0);
  expect(sessions.versionFor('s', { ...before, challenger: null, share: null, experimentId: null }, 1, MINUTE)).toBe(1);
  expect(sessions.versionFor('s', before, 2, MINUTE)).toBe(2);
});

it('those silent for the longest time are forgotten first', () => {
  const sessions = createSessions(() => 0, 2);
  for (const name of ['a', 'b', 'c', 'a', 'd']) sessions.versionFor(name, before, 1, MINUTE);
  const after = promoted(0);
  expect(['a', 'd', 'b'].map((name) => sessions.versionFor(name, after, 2, MINUTE))).toEqual([1, 1, 2]);
});

describe('a conversation is told by', () => {
  const system = { role: 'system', content: 'Be brief.' };
  const hello = { role: 'user', content: 'Hello' };

  it('its name, for its subject and model', () => {
    expect(sessionOf('m', 's', 'chat-1', {})).toBe(sessionOf('m', 's', 'chat-1', { messages: [hello] }));
    const names = [
      sessionOf('m', 's', 'chat-1', {}),
      sessionOf('m', 't', 'chat-1', {}),
      sessionOf('n', 's', 'chat-1', {}),
    ];
    expect(new Set(names).size).toBe(3);
  });

  it('its first messages, however long it has become', () => {
    const first = sessionOf('m', 's', undefined, { messages: [system, hello] });
    const later = sessionOf('m', 's', undefined, {
      messages: [system, hello, { role: 'assistant', content: 'Hi' }, { role: 'user', content: 'Bye' }],
    });
    expect(later).toBe(first);
    expect(sessionOf('m', 's', undefined, { messages: [hello] })).not.toBe(first);
  });

  it('nothing in a body without a user', () => {
    expect(sessionOf('m', 's', undefined, { messages: [system] })).toBeUndefined();
    expect(sessionOf('m', 's', undefined, { messages: [null, 3] })).toBeUndefined();
    expect(sessionOf('m', 's', undefined, { prompt: 'x' })).toBeUndefined();
  });
});
