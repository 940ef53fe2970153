import { z } from 'zod';

const DAY = 86_400_000;
const WEEK = 7 * DAY;
/** 1970-01-05 was a Monday. */
const A_MONDAY = 4 * DAY;
const DAYS = ['MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN'];
const TIME = '([01]\\d|2[0-3]):([0-5]\\d)';
const DAILY = new RegExp(`^${TIME}$`);
const WEEKLY = new RegExp(`^(${DAYS.join('|')}) ${TIME}$`);
const ONCE = new RegExp(`^\\d{4}-\\d{2}-\\d{2}T${TIME}$`);
/** Windows that follow each other for longer than this never end. */
const FOR_EVER = 400 * DAY;

const edge = z.string().refine((text) => kindOf(text) !== null, 'must be "22:00", "FRI 16:00" or "2026-12-20T00:00"');

const freezeWindow = z
  .strictObject({
    /** From here on, and to just before `to`: a time of every day, of a weekday, or one date; both of the same kind. */
    from: edge,
    to: edge,
    /** IANA name of the zone in which both are meant. */
    timezone: z.string().refine(isZone, 'is not the name of a time zone, such as "Europe/Berlin"').default('UTC'),
  })
  .refine(({ from, to }) => kindOf(from) === kindOf(to), 'from and to must be of the same kind')
  .refine(({ from, to }) => (kindOf(from) === 'once' ? from < to : from !== to), 'must last for some time');

/** `promotion.freeze`: when nothing is promoted. */
export const freezeWindows = z
  .array(freezeWindow)
  .max(50)
  .refine(leavesTime, 'leaves no time in which anything could be promoted')
  .default([]);

export type FreezeWindow = z.output<typeof freezeWindow>;

/** The windows of a whole policy document; other sections are not looked at. */
export const freezePolicySchema = z.object({ promotion: z.object({ freeze: freezeWindows }).prefault({}) });

/** When promotions are possible again, or null when they are at `at`. Windows that follow each other are one. */
export function frozenUntil(windows: readonly FreezeWindow[], at: Date): Date | null {
  const start = at.getTime();
  let until = start;
  for (;;) {
    const end = Math.max(...windows.map((window) => endOf(window, until)), until);
    if (end === until) return until === start ? null : new Date(until);
    until = end;
    if (until - start > FOR_EVER) return new Date(until);
  }
}

/** When the window ends that an instant lies in; the instant itself outside of it. */
function endOf({ from, to, timezone }: FreezeWindow, instant: number): number {
  const wall = wallClock(instant, timezone);
  if (kindOf(from) === 'once') {
    const [begin, end] = [Date.parse(`${from}:00Z`), Date.parse(`${to}:00Z`)];
    return wall >= begin && wall < end ? later(instant, toInstant(end, timezone)) : instant;
  }
  const period = kindOf(from) === 'weekly' ? WEEK : DAY;
  const since = modulo(wall - offsetOf(from), period);
  const lasts = modulo(offsetOf(to) - offsetOf(from), period);
  return since < lasts ? later(instant, toInstant(wall + lasts - since, timezone)) : instant;
}

/** Where clocks are put back, the end of a window may lie before an instant in it: it ends when the hour has come again. */
function later(instant: number, end: number): number {
  return end > instant ? end : instant + 3_600_000;
}

/** Milliseconds from the beginning of the day or of the week, counted as wall clocks do. */
function offsetOf(text: string): number {
  const [, hours, minutes] = new RegExp(`${TIME}$`).exec(text) as unknown as [string, string, string];
  const day = WEEKLY.test(text) ? DAYS.indexOf(text.slice(0, 3)) : 0;
  return day * DAY + (Number(hours) * 60 + Number(minutes)) * 60_000 + A_MONDAY;
}

function kindOf(text: string): 'daily' | 'weekly' | 'once' | null {
  if (DAILY.test(text)) return 'daily';
  if (WEEKLY.test(text)) return 'weekly';
  return ONCE.test(text) && !Number.isNaN(Date.parse(`${text}:00Z`)) ? 'once' : null;
}

/** What clocks on the wall show, as if it were UTC, epoch milliseconds. */
function wallClock(instant: number, timezone: string): number {
  const parts = new Map(
    clock(timezone)
      .formatToParts(instant)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type)!;
  const seconds = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
  return seconds + modulo(instant, 1_000);
}

/** The instant at which clocks show this; where they skip it, the one after the gap. */
function toInstant(wall: number, timezone: string): number {
  // The difference is that of some instant nearby; the second turn has that of the instant itself.
  let instant = wall;
  for (let turn = 0; turn < 2; turn += 1) instant = wall - (wallClock(instant, timezone) - instant);
  return instant;
}

const clocks = new Map<string, Intl.DateTimeFormat>();

function clock(timeZone: string): Intl.DateTimeFormat {
  let known = clocks.get(timeZone);
  if (known === undefined) {
    const numeric = 'numeric' as const;
    known = new Intl.DateTimeFormat('en-US', {
      ...{ timeZone, hourCycle: 'h23', year: numeric, month: numeric, day: numeric },
      ...{ hour: numeric, minute: numeric, second: numeric },
    });
    clocks.set(timeZone, known);
  }
  return known;
}

function isZone(name: string): boolean {
  try {
    clock(name);
    return true;
  } catch {
    return false;
  }
}

/** Is there some time in a week that is in none of the windows that come again and again? */
function leavesTime(windows: readonly FreezeWindow[]): boolean {
  const regular = windows.filter(({ from, to, timezone }) => {
    return [from, to].every((text) => ['daily', 'weekly'].includes(kindOf(text) ?? '')) && isZone(timezone);
  });
  const until = frozenUntil(regular, new Date(Date.UTC(2026, 0, 5)));
  return until === null || until.getTime() < Date.UTC(2026, 0, 5) + 2 * WEEK;
}

function modulo(value: number, by: number): number {
  return ((value % by) + by) % by;
}
