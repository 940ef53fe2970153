import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Budget, type BudgetLimits, createBudget } from './budget.js';

const DAY_MS = 86_400_000;
const MIDNIGHT = 20_000 * DAY_MS;

let now: number;
beforeEach(() => {
  now = MIDNIGHT + 3_600_000;
});
const budget = (limits: Partial<BudgetLimits>) =>
  createBudget({ requestsPerMinute: null, tokensPerDay: null, ...limits }, () => now);
const today = (tokens: number, requests: number) => ({ day: Math.floor(now / DAY_MS), tokens, requests });

/** How many requests are admitted, one after the other, before one is refused. */
function admitted(to: Budget): number {
  for (let count = 0; count < 10_000; count++) if (to.admit(false) !== undefined) return count;
  throw new Error('no end');
}

describe('requests per minute', () => {
  it('admits a minute’s worth at once, then one by one, and says how long to wait', () => {
    const one = budget({ requestsPerMinute: 6 });
    expect(admitted(one)).toBe(6);
    expect(one.admit(false)).toEqual({ budget: 'requests_per_minute', limit: 6, retryAfter: 10 });
    now += 4_000;
    expect(one.admit(false)?.retryAfter).toBe(6);
    now += 6_000;
    expect(admitted(one)).toBe(1);
    now += 3_600_000;
    expect(admitted(one)).toBe(6);
  });

  it('never admits more than the bucket and what has run into it since, whatever the moments', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.array(fc.integer({ min: 0, max: 20_000 })), (limit, waits) => {
        now = MIDNIGHT;
        const one = budget({ requestsPerMinute: limit });
        let count = 0;
        for (const wait of waits) {
          now += wait;
          if (one.admit(false) === undefined) count += 1;
        }
        expect(count).toBeLessThanOrEqual(limit + ((now - MIDNIGHT) * limit) / 60_000 + 1e-6);
      }),
    );
  });

  it('is shared: what other gateways admitted is taken out, and a key that waits is let in after two minutes at most', () => {
    const one = budget({ requestsPerMinute: 60 });
    one.heard(today(0, 1_000));
    one.admit(false);
    const [taken] = one.take();
    one.stored(taken!, today(0, 1_000 + 1 + 20));
    expect(admitted(one)).toBe(60 - 1 - 20);
    one.heard(today(0, 1_000_000));
    now += 60_000;
    expect(one.admit(false)).toMatchObject({ retryAfter: 1 });
    now += 60_000;
    expect(one.admit(false)).toBeUndefined();
  });

  it('does not run backwards with the clock', () => {
    const one = budget({ requestsPerMinute: 2 });
    expect(admitted(one)).toBe(2);
    now -= 600_000;
    expect(one.admit(false)).toBeDefined();
    now += 31_000;
    expect(one.admit(false)).toBeUndefined();
  });
});

describe('tokens per day', () => {
  it('refuses what spends from the moment they are used up until midnight UTC, and nothing else', () => {
    const one = budget({ tokensPerDay: 100 });
    one.charge(99);
    expect(one.admit(true)).toBeUndefined();
    one.charge(50);
    expect(one.admit(true)).toEqual({ budget: 'tokens_per_day', limit: 100, retryAfter: 23 * 3_600 });
    expect(one.admit(false)).toBeUndefined();
    now = MIDNIGHT + DAY_MS;
    expect(one.admit(true)).toBeUndefined();
    expect(one.today()).toMatchObject({ day: 20_001, tokens: 0 });
  });

  it('counts nothing that is not a number of tokens', () => {
    const one = budget({ tokensPerDay: 100 });
    for (const tokens of [0, -5, Number.NaN]) one.charge(tokens);
    expect(one.today().tokens).toBe(0);
    one.charge(Number.POSITIVE_INFINITY);
    expect(Number.isSafeInteger(one.today().tokens)).toBe(true);
  });

  it('knows what other gateways used, counts nothing twice, and loses nothing that could not be stored', () => {
    const one = budget({ tokensPerDay: 1_000 });
    one.charge(10);
    const [taken] = one.take();
    expect(one.take()).toEqual([]);
    expect(taken).toEqual(today(10, 0));
    one.charge(5);
    // An answer from elsewhere may have what is under way, or not: it is not listened to.
    one.heard(today(700, 9));
    expect(one.today().tokens).toBe(15);
    one.giveBack(taken!);
    expect(one.today().tokens).toBe(15);
    const [again] = one.take();
    expect(again).toEqual(today(15, 0));
    one.stored(again!, today(715, 9));
    expect(one.today().tokens).toBe(715);
    one.heard(today(700, 9));
    expect(one.today().tokens).toBe(715);
  });

  it('hands out what was left of yesterday as yesterday’s', () => {
    const one = budget({ tokensPerDay: 1_000 });
    one.charge(10);
    const [under] = one.take();
    one.charge(7);
    now += DAY_MS;
    one.charge(1);
    one.giveBack(under!);
    expect(one.today()).toEqual(today(1, 0));
    expect(one.take()).toEqual([
      { day: 20_000, tokens: 7, requests: 0 },
      { day: 20_000, tokens: 10, requests: 0 },
      { day: 20_001, tokens: 1, requests: 0 },
    ]);
  });
});

describe('headers', () => {
  it('are OpenAI’s, for the limits that are set', () => {
    const one = budget({ requestsPerMinute: 60, tokensPerDay: 1_000 });
    one.admit(true);
    one.charge(1_200);
    expect(one.headers()).toEqual({
      'x-ratelimit-limit-requests': '60',
      'x-ratelimit-remaining-requests': '59',
      'x-ratelimit-reset-requests': '1s',
      'x-ratelimit-limit-tokens': '1000',
      'x-ratelimit-remaining-tokens': '0',
      'x-ratelimit-reset-tokens': '23h0m0s',
    });
    expect(budget({ requestsPerMinute: 600_000 }).headers()).toEqual({
      'x-ratelimit-limit-requests': '600000',
      'x-ratelimit-remaining-requests': '600000',
      'x-ratelimit-reset-requests': '0ms',
    });
  });
});

describe('limits that change', () => {
  it('hold from then on, with what was used so far', () => {
    const one = budget({ requestsPerMinute: 10, tokensPerDay: 100 });
    one.charge(60);
    one.limit({ requestsPerMinute: 3, tokensPerDay: 50 });
    expect(one.admit(true)).toMatchObject({ budget: 'tokens_per_day', limit: 50 });
    expect(admitted(one)).toBe(3);
    one.limit({ requestsPerMinute: null, tokensPerDay: 200 });
    expect(one.admit(true)).toBeUndefined();
    one.limit({ requestsPerMinute: 5, tokensPerDay: null });
    expect(admitted(one)).toBe(5);
  });
});
