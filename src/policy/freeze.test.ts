import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FreezeWindow, freezeWindows, frozenUntil } from './freeze.js';

const at = (text: string) => new Date(`${text}Z`);
const until = (windows: Partial<FreezeWindow>[], text: string) =>
  frozenUntil(freezeWindows.parse(windows), at(text))?.toISOString().replace(':00.000Z', '') ?? null;

const weekend = { from: 'FRI 16:00', to: 'MON 08:00' };

describe('a freeze window', () => {
  it('lasts from its beginning to just before its end, every week', () => {
    // 2026-11-20 is a Friday.
    expect(until([weekend], '2026-11-20T15:59:59')).toBe(null);
    expect(until([weekend], '2026-11-20T16:00:00')).toBe('2026-11-23T08:00');
    expect(until([weekend], '2026-11-22T23:30:00')).toBe('2026-11-23T08:00');
    expect(until([weekend], '2026-11-23T07:59:59')).toBe('2026-11-23T08:00');
    expect(until([weekend], '2026-11-23T08:00:00')).toBe(null);
  });

  it('may be every night, over midnight', () => {
    const night = [{ from: '22:00', to: '06:00' }];
    expect(until(night, '2026-11-20T21:59:00')).toBe(null);
    expect(until(night, '2026-11-20T23:00:00')).toBe('2026-11-21T06:00');
    expect(until(night, '2026-11-21T05:00:00')).toBe('2026-11-21T06:00');
  });

  it('may be once, and is one with those that follow it', () => {
    const holidays = { from: '2026-12-21T00:00', to: '2027-01-02T00:00' };
    // 2027-01-02 is a Saturday.
    expect(until([holidays], '2026-12-24T12:00:00')).toBe('2027-01-02T00:00');
    expect(until([holidays, weekend], '2026-12-24T12:00:00')).toBe('2027-01-04T08:00');
    expect(until([holidays], '2027-01-02T00:00:00')).toBe(null);
  });

  it('is meant in its own zone, in summer and in winter, and when the clocks are changed in it', () => {
    const berlin = [{ ...weekend, timezone: 'Europe/Berlin' }];
    expect(until(berlin, '2026-07-03T14:00:00')).toBe('2026-07-06T06:00');
    expect(until(berlin, '2026-07-03T13:59:00')).toBe(null);
    expect(until(berlin, '2026-11-20T15:00:00')).toBe('2026-11-23T07:00');
    // Clocks go forward on 2026-03-29 and back on 2026-10-25, both Sundays.
    expect(until(berlin, '2026-03-27T16:00:00')).toBe('2026-03-30T06:00');
    expect(until(berlin, '2026-10-23T16:00:00')).toBe('2026-10-26T07:00');
    const skipped = [{ from: '01:00', to: '02:30', timezone: 'Europe/Berlin' }];
    expect(until(skipped, '2026-03-29T00:30:00')).toBe('2026-03-29T01:30');
  });

  it.each([
    [[{ from: 'FRI 16:00', to: '08:00' }], /of the same kind/],
    [[{ from: '08:00', to: '08:00' }], /must last for some time/],
    [[{ from: '2026-12-21T00:00', to: '2026-12-20T00:00' }], /must last for some time/],
    [[{ from: 'friday', to: 'monday' }], /must be .*FRI 16:00/],
    [[{ from: '2026-13-01T00:00', to: '2026-13-02T00:00' }], /must be .*FRI 16:00/],
    [[{ ...weekend, timezone: 'Mars/Olympus' }], /not the name of a time zone/],
    [
      [
        { from: '00:00', to: '12:00' },
        { from: '11:00', to: '00:00' },
      ],
      /leaves no time/,
    ],
    [[weekend, { from: 'MON 08:00', to: 'FRI 16:00' }], /leaves no time/],
  ])('%j is refused', (windows, problem) => {
    expect(() => freezeWindows.parse(windows)).toThrow(problem);
  });

  it('has ended when it says so: just before that nothing is promoted, then it is', () => {
    const zones = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe');
    const time = fc.tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 })).map(([hour, minute]) => {
      return `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`;
    });
    const day = fc.constantFrom('MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN');
    const weekly = fc.tuple(day, time).map(([name, hour]) => `${name} ${hour}`);
    const window = fc
      .tuple(fc.oneof(fc.tuple(time, time), fc.tuple(weekly, weekly)), zones)
      .map(([[from, to], timezone]) => ({ from, to, timezone }));
    const instant = fc.date({ min: at('2026-01-01T00:00:00'), max: at('2028-01-01T00:00:00'), noInvalidDate: true });
    fc.assert(
      fc.property(fc.array(window, { maxLength: 3 }), instant, (given, start) => {
        const { success, data } = freezeWindows.safeParse(given);
        if (!success) return;
        const end = frozenUntil(data, start);
        if (end === null) return;
        expect(end.getTime()).toBeGreaterThan(start.getTime());
        expect(frozenUntil(data, end)).toBe(null);
        expect(frozenUntil(data, new Date(end.getTime() - 1))).toEqual(end);
      }),
    );
  });
});
