import type { Db } from '../db/index.js';
import { type Budget, createBudget, type Usage } from './budget.js';
import type { FoundKey, KeyRights } from './read-keys.js';

/** The budgets of this process, and their way to Postgres and back. */
export interface UsageLedger {
  /** The budget of a key's family, with what is known of its use; null for a key without limits. */
  budgetOf(rights: KeyRights, usage: FoundKey['usage']): Budget | null;
  /** Adds what was counted since the last time to the sums of all gateways, and takes the sums over. One at a time. */
  flush(): Promise<void>;
}

const ADD = `INSERT INTO key_usage AS kept (family, day, tokens, requests)
  SELECT family, DATE '1970-01-01' + day, tokens, requests
    FROM unnest($1::uuid[], $2::integer[], $3::bigint[], $4::bigint[]) AS new (family, day, tokens, requests)
   ORDER BY family, day
  ON CONFLICT (family, day) DO UPDATE
     SET tokens = kept.tokens + EXCLUDED.tokens, requests = kept.requests + EXCLUDED.requests
  RETURNING family, day - DATE '1970-01-01' AS day, tokens::float8 AS tokens, requests::float8 AS requests`;

export function openUsageLedger(db: Pick<Db, 'pool'>, clock: () => number = Date.now): UsageLedger {
  const budgets = new Map<string, Budget>();
  let flushing: Promise<void> | undefined;

  async function add(): Promise<void> {
    const taken: { family: string; budget: Budget; usage: Usage }[] = [];
    for (const [family, budget] of budgets) for (const usage of budget.take()) taken.push({ family, budget, usage });
    if (taken.length === 0) return;
    try {
      const { rows } = await db.pool.query<Usage & { family: string }>(ADD, [
        taken.map(({ family }) => family),
        taken.map(({ usage }) => usage.day),
        taken.map(({ usage }) => usage.tokens),
        taken.map(({ usage }) => usage.requests),
      ]);
      const sums = new Map(rows.map((row) => [`${row.family} ${row.day}`, row]));
      for (const { family, budget, usage } of taken) {
        const sum = sums.get(`${family} ${usage.day}`);
        if (sum !== undefined) budget.stored(usage, sum);
      }
    } catch (error) {
      for (const { budget, usage } of taken) budget.giveBack(usage);
      throw error;
    }
  }

  return {
    budgetOf(rights, usage) {
      let budget = budgets.get(rights.family);
      if (rights.requestsPerMinute === null && rights.tokensPerDay === null) {
        // What it counted is still to be written: the map forgets it only when there is nothing left.
        budget?.limit(rights);
        return null;
      }
      if (budget === undefined) {
        budget = createBudget(rights, clock);
        budgets.set(rights.family, budget);
      } else budget.limit(rights);
      if (usage !== undefined) budget.heard(usage);
      return budget;
    },
    flush() {
      flushing ??= add().finally(() => {
        flushing = undefined;
      });
      return flushing;
    },
  };
}
