import { timingSafeEqual } from 'node:crypto';
import type { Db } from '../db/index.js';
import { errorDetail, UnderstudyError } from '../errors.js';
import { hashKey, keyOfHeader } from './key.js';
import { impliedScopes, type Scope } from './scopes.js';

/** Who asks. */
export interface Principal {
  keyId: string;
  /** The key's name: the actor of a change unless another one is given. */
  name: string;
  /** With the implied ones. */
  scopes: ReadonlySet<Scope>;
  /** The only model this key may see; null for all. */
  model: string | null;
}

export interface Authenticator {
  /**
   * The holder of an `Authorization` header's key, when it was confirmed a moment ago: at once, and nobody is asked.
   * Undefined: ask `authenticate`.
   */
  recall(header: string | undefined): Principal | undefined;
  /**
   * The holder of an `Authorization` header's key. Throws `unauthorized`, or `database_unreachable` for a key not seen
   * before while Postgres is away.
   */
  authenticate(header: string | undefined): Promise<Principal>;
}

interface Entry {
  principal: Principal;
  checkedAt: number;
}

const KEPT = 10_000;
const RETRY_MS = 1_000;

/**
 * Checks keys against Postgres and remembers valid ones for `freshMs`; half of that in, they are checked again in the
 * background, so that a busy key never waits. While Postgres is away, keys it has confirmed before stay valid: a gateway
 * must go on serving. A revoked key therefore works for at most `freshMs` while Postgres answers.
 */
export function createAuthenticator(
  db: Pick<Db, 'pool'>,
  options: { freshMs?: number; clock?: () => number } = {},
): Authenticator {
  const freshMs = options.freshMs ?? 5_000;
  const clock = options.clock ?? (() => performance.now());
  const entries = new Map<string, Entry>();
  const asking = new Map<string, Promise<Principal | undefined>>();
  let failedAt: number | undefined;

  async function ask(id: string, hash: Buffer): Promise<Principal | undefined> {
    const askedAt = clock();
    try {
      const { rows } = await db.pool.query<{
        id: string;
        name: string;
        hash: Buffer;
        scopes: string[];
        model: string | null;
      }>('SELECT id, name, hash, scopes, model FROM keys WHERE hash = $1 AND revoked_at IS NULL', [hash]);
      failedAt = undefined;
      const row = rows.find(
        (candidate) => candidate.hash.length === hash.length && timingSafeEqual(candidate.hash, hash),
      );
      // Taken out first: the map is in order of last check, and the oldest goes when it is full.
      entries.delete(id);
      if (row === undefined) return undefined;
      const principal = { keyId: row.id, name: row.name, scopes: impliedScopes(row.scopes), model: row.model };
      entries.set(id, { principal, checkedAt: askedAt });
      if (entries.size > KEPT) entries.delete(entries.keys().next().value as string);
      return principal;
    } catch (error) {
      failedAt = clock();
      throw error;
    }
  }

  /** One question at a time for each key. */
  function askOnce(id: string, hash: Buffer): Promise<Principal | undefined> {
    let pending = asking.get(id);
    if (pending === undefined) {
      pending = ask(id, hash).finally(() => asking.delete(id));
      asking.set(id, pending);
    }
    return pending;
  }

  return {
    recall(header) {
      const key = keyOfHeader(header);
      const entry = key === undefined ? undefined : entries.get(hashKey(key).toString('base64'));
      return entry !== undefined && clock() - entry.checkedAt <= freshMs / 2 ? entry.principal : undefined;
    },
    async authenticate(header) {
      const key = keyOfHeader(header);
      if (key === undefined) throw new UnderstudyError('unauthorized');
      const hash = hashKey(key);
      const id = hash.toString('base64');
      const entry = entries.get(id);
      if (entry !== undefined) {
        const age = clock() - entry.checkedAt;
        if (age <= freshMs / 2) return entry.principal;
        const away = failedAt !== undefined;
        if (age <= freshMs || away) {
          if (!away || clock() - (failedAt ?? 0) > RETRY_MS) void askOnce(id, hash).catch(() => undefined);
          return entry.principal;
        }
        const answer = await Promise.race([
          askOnce(id, hash).catch(() => entry.principal),
          waitFor(RETRY_MS).then(() => {
            failedAt ??= clock();
            return entry.principal;
          }),
        ]);
        if (answer === undefined) throw new UnderstudyError('unauthorized');
        return answer;
      }
      const principal = await askOnce(id, hash).catch((error: unknown) => {
        throw new UnderstudyError('database_unreachable', { detail: errorDetail(error) });
      });
      if (principal === undefined) throw new UnderstudyError('unauthorized');
      return principal;
    },
  };
}

function waitFor(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });
}
