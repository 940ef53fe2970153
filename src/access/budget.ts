/** What a key may use; null: as much as it likes. */
export interface BudgetLimits {
  requestsPerMinute: number | null;
  /** Prompt and completion tokens of a UTC day. */
  tokensPerDay: number | null;
}

/** Tokens and requests of one UTC day; `day` in days since 1970. */
export interface Usage {
  day: number;
  tokens: number;
  requests: number;
}

/** Why a request is not admitted, and when another one may be. */
export interface Refusal {
  budget: 'requests_per_minute' | 'tokens_per_day';
  limit: number;
  /** In whole seconds, at least 1. */
  retryAfter: number;
}

/**
 * What is left to a key and its successors. Everything here is arithmetic on a few numbers: the request it is asked for
 * waits for nobody.
 */
export interface Budget {
  /** Takes over limits that were changed. */
  limit(limits: BudgetLimits): void;
  /** Counts a request, or says why it has to wait. `spends`: it will use tokens. */
  admit(spends: boolean): Refusal | undefined;
  /** Counts tokens of an answer that has ended. */
  charge(tokens: number): void;
  /** OpenAI's `x-ratelimit-…` headers for the limits that are set. */
  headers(): Record<string, string>;
  /** Tokens of today, as far as they are known here. */
  today(): Usage;

  /** What was counted here and not yet handed out, day by day; it is handed out once. */
  take(): Usage[];
  /** What was taken is stored; `total` is the sum over all gateways after it. */
  stored(taken: Usage, total: Usage): void;
  /** What was taken could not be stored: it is handed out again. */
  giveBack(taken: Usage): void;
  /** The sum over all gateways, from elsewhere. */
  heard(total: Usage): void;
}

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

/**
 * Requests are a bucket that holds a minute's worth and fills by as much every minute; tokens are a count that starts
 * anew at midnight UTC. Requests of other gateways are taken out of the bucket when they become known.
 */
export function createBudget(limits: BudgetLimits, clock: () => number = Date.now): Budget {
  let { requestsPerMinute, tokensPerDay } = limits;
  let level = requestsPerMinute ?? 0;
  let filledAt = clock();
  let day = dayOf(filledAt);
  /** Known to Postgres; undefined until it was heard. */
  let total: Usage | undefined;
  /** Taken, and not yet in `total`. */
  let taken = { tokens: 0, requests: 0 };
  let fresh = { tokens: 0, requests: 0 };
  const earlier: Usage[] = [];

  function turnTo(now: number): void {
    const today = dayOf(now);
    if (today <= day) return;
    if (fresh.tokens > 0 || fresh.requests > 0) earlier.push({ day, ...fresh });
    day = today;
    total = undefined;
    taken = { tokens: 0, requests: 0 };
    fresh = { tokens: 0, requests: 0 };
  }

  function fill(now: number): void {
    if (requestsPerMinute === null) return;
    const passed = Math.max(0, now - filledAt);
    level = Math.min(requestsPerMinute, level + (passed * requestsPerMinute) / MINUTE_MS);
    filledAt = now;
  }

  function learn(sum: Usage, own: number): void {
    if (sum.day !== day) return;
    const others = total === undefined ? 0 : sum.requests - total.requests - own;
    if (requestsPerMinute !== null && others > 0) {
      fill(clock());
      // No deeper than a minute: however many gateways there are, a key that waits is let in again.
      level = Math.max(-requestsPerMinute, level - others);
    }
    // Answers may overtake each other; a sum only grows.
    total = {
      day,
      tokens: Math.max(sum.tokens, total?.tokens ?? 0),
      requests: Math.max(sum.requests, total?.requests ?? 0),
    };
  }

  const tokensToday = () => (total?.tokens ?? 0) + taken.tokens + fresh.tokens;

  return {
    limit(next) {
      fill(clock());
      if (requestsPerMinute === null && next.requestsPerMinute !== null) level = next.requestsPerMinute;
      ({ requestsPerMinute, tokensPerDay } = next);
      if (requestsPerMinute !== null) level = Math.min(level, requestsPerMinute);
    },
    admit(spends) {
      const now = clock();
      turnTo(now);
      if (spends && tokensPerDay !== null && tokensToday() >= tokensPerDay) {
        return { budget: 'tokens_per_day', limit: tokensPerDay, retryAfter: seconds((day + 1) * DAY_MS - now) };
      }
      if (requestsPerMinute !== null) {
        fill(now);
        if (level < 1) {
          const wait = ((1 - level) * MINUTE_MS) / requestsPerMinute;
          return { budget: 'requests_per_minute', limit: requestsPerMinute, retryAfter: seconds(wait) };
        }
        level -= 1;
      }
      fresh.requests += 1;
      return undefined;
    },
    charge(tokens) {
      if (!(tokens > 0)) return;
      turnTo(clock());
      fresh.tokens += Math.min(Math.round(tokens), 2_147_483_647);
    },
    headers() {
      const now = clock();
      turnTo(now);
      fill(now);
      const headers: Record<string, string> = {};
      if (requestsPerMinute !== null) {
        headers['x-ratelimit-limit-requests'] = String(requestsPerMinute);
        headers['x-ratelimit-remaining-requests'] = String(Math.max(0, Math.floor(level)));
        headers['x-ratelimit-reset-requests'] = inUnits(((requestsPerMinute - level) * MINUTE_MS) / requestsPerMinute);
      }
      if (tokensPerDay !== null) {
        headers['x-ratelimit-limit-tokens'] = String(tokensPerDay);
        headers['x-ratelimit-remaining-tokens'] = String(Math.max(0, tokensPerDay - tokensToday()));
        headers['x-ratelimit-reset-tokens'] = inUnits((day + 1) * DAY_MS - now);
      }
      return headers;
    },
    today() {
      turnTo(clock());
      return { day, tokens: tokensToday(), requests: (total?.requests ?? 0) + taken.requests + fresh.requests };
    },
    take() {
      turnTo(clock());
      const out = earlier.splice(0);
      if (fresh.tokens > 0 || fresh.requests > 0) {
        out.push({ day, ...fresh });
        taken = { tokens: taken.tokens + fresh.tokens, requests: taken.requests + fresh.requests };
        fresh = { tokens: 0, requests: 0 };
      }
      return out;
    },
    stored(own, sum) {
      turnTo(clock());
      if (own.day !== day) return;
      taken = { tokens: taken.tokens - own.tokens, requests: taken.requests - own.requests };
      learn(sum, own.requests);
    },
    giveBack(own) {
      turnTo(clock());
      if (own.day !== day) return void earlier.push(own);
      taken = { tokens: taken.tokens - own.tokens, requests: taken.requests - own.requests };
      fresh = { tokens: fresh.tokens + own.tokens, requests: fresh.requests + own.requests };
    },
    heard(sum) {
      turnTo(clock());
      // What is on its way to Postgres may be in the sum or not: the answer to it will say.
      if (taken.tokens === 0 && taken.requests === 0) learn(sum, 0);
    },
  };
}

function dayOf(time: number): number {
  return Math.floor(time / DAY_MS);
}

function seconds(milliseconds: number): number {
  return Math.max(1, Math.ceil(milliseconds / 1_000));
}

/** A wait as OpenAI writes it: `20ms`, `6s`, `1m30s`, `7h0m0s`. */
function inUnits(milliseconds: number): string {
  if (milliseconds < 1_000) return `${Math.max(0, Math.ceil(milliseconds))}ms`;
  const whole = Math.ceil(milliseconds / 1_000);
  const [hours, minutes, rest] = [Math.floor(whole / 3_600), Math.floor((whole % 3_600) / 60), whole % 60];
  return `${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${rest}s`;
}
