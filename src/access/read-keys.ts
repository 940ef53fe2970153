import { timingSafeEqual } from 'node:crypto';
import type { Db } from '../db/index.js';
import type { BudgetLimits, Usage } from './budget.js';

/** What a valid key is good for. */
export interface KeyRights extends BudgetLimits {
  keyId: string;
  name: string;
  scopes: readonly string[];
  /** The only model it may see; null for all. */
  model: string | null;
  /** Shared with its predecessors and successors: what the budget is counted under. */
  family: string;
  /** Unix time in ms from which on it is refused; null: never. */
  expiresAt: number | null;
}

export interface FoundKey {
  rights: KeyRights;
  /** What its family has used today, over all gateways; undefined when it was not used yet. */
  usage: Usage | undefined;
}

const SELECT = `SELECT k.id, k.name, k.hash, k.scopes, k.model, k.family, k.requests_per_minute,
    k.tokens_per_day::float8 AS tokens_per_day, k.expires_at,
    u.day - DATE '1970-01-01' AS day, u.tokens::float8 AS tokens, u.requests::float8 AS requests
  FROM keys k LEFT JOIN key_usage u ON u.family = k.family AND u.day = (now() AT TIME ZONE 'UTC')::date
 WHERE k.hash = ANY($1::bytea[]) AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())`;

/** A key as the query answers it, with what its family has used today. */
export interface KeyRow {
  id: string;
  name: string;
  hash: Buffer;
  scopes: string[];
  model: string | null;
  family: string;
  requests_per_minute: number | null;
  tokens_per_day: number | null;
  expires_at: Date | null;
  day: number | null;
  tokens: number;
  requests: number;
}

/** Of the hashes (base64), those of keys that are valid now. Throws what the driver throws. */
export async function readKeys(
  db: Pick<Db, 'pool'>,
  hashes: readonly string[],
): Promise<ReadonlyMap<string, FoundKey>> {
  const asked = hashes.map((hash) => Buffer.from(hash, 'base64'));
  const { rows } = await db.pool.query<KeyRow>(SELECT, [asked]);
  const found = new Map<string, FoundKey>();
  for (const row of rows) {
    const id = row.hash.toString('base64');
    // The database compares hashes of keys, which tell nothing about them; that the row is the right one is checked here.
    if (asked.length === 1 && !isSame(asked[0]!, row.hash)) continue;
    found.set(id, {
      rights: {
        keyId: row.id,
        name: row.name,
        scopes: row.scopes,
        model: row.model,
        family: row.family,
        requestsPerMinute: row.requests_per_minute,
        tokensPerDay: row.tokens_per_day,
        expiresAt: row.expires_at === null ? null : row.expires_at.getTime(),
      },
      usage: row.day === null ? undefined : { day: row.day, tokens: row.tokens, requests: row.requests },
    });
  }
  return found;
}

function isSame(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}
