import type { Db } from '../db/index.js';
import { errorDetail, UnderstudyError } from '../errors.js';
import type { Budget } from './budget.js';
import { hashKey, keyOfHeader } from './key.js';
import { type FoundKey, type KeyRights, readKeys } from './read-keys.js';
import type { SavedKey, SavedKeys } from './saved-keys.js';
import { impliedScopes, type Scope } from './scopes.js';
import { openUsageLedger } from './usage-ledger.js';

/** Who asks. */
export interface Principal {
  keyId: string;
  /** The same for a key and its successors: whoever holds them counts as one. */
  family: string;
  /** The key's name: in the actor of every change that is made with it. */
  name: string;
  /** With the implied ones. */
  scopes: ReadonlySet<Scope>;
  /** The only model this key may see; null for all. */
  model: string | null;
  /** What it may still use; null for a key without limits. */
  budget: Budget | null;
}

export interface Authenticator {
  /**
   * The holder of an `Authorization` header's key, when it was confirmed a moment ago: at once, and nobody is asked.
   * Undefined: ask `authenticate`.
   */
  recall(header: string | undefined): Principal | undefined;
  /**
   * The holder of an `Authorization` header's key. Throws `unauthorized`, or `keys_unavailable` for a key not seen before
   * while Postgres is away.
   */
  authenticate(header: string | undefined): Promise<Principal>;
  /** Takes over the keys that were saved, and begins to look after them in the background. Never throws. */
  start(): Promise<void>;
  /** Writes down what was used, and stops. */
  close(): Promise<void>;
}

export interface AuthenticatorOptions {
  /** How long a confirmed key is believed. */
  freshMs?: number;
  /** How often budgets are shared with the other gateways. */
  shareMs?: number;
  /** How often all known keys are checked, their last use is written, and they are saved when they changed. */
  sweepMs?: number;
  /** How often they are saved in between, when they changed. */
  saveMs?: number;
  /** Where confirmed keys outlive a restart; absent: they do not. */
  saved?: SavedKeys;
  /** Monotonic, in ms. */
  clock?: () => number;
  /** Hears in one word why keys could not be checked, shared or saved; it is tried again. */
  onError?: (what: string, error: unknown) => void;
}

interface Entry {
  principal: Principal;
  rights: KeyRights;
  /** On the monotonic clock; -Infinity: saved by an earlier process. */
  checkedAt: number;
  /** On the monotonic clock. */
  endsAt: number;
  /** Unix time. */
  confirmedAt: number;
  used: boolean;
}

const KEPT = 10_000;
const SWEPT_AT_ONCE = 500;
const RETRY_MS = 1_000;
const PATIENCE_MS = 5_000;
/** A key that Postgres has not confirmed for so long is not believed by its file alone. */
const SAVED_FOR_MS = 7 * 86_400_000;
/** So often the file says anew that they were confirmed. */
const RESAVED_MS = 3_600_000;

/**
 * Checks keys against Postgres and remembers valid ones for `freshMs`; half of that in, they are checked again in the
 * background, so that a busy key never waits. While Postgres is away, keys it has confirmed before stay valid, also those
 * that an earlier process saved: a gateway must go on serving. A revoked key therefore works for at most `freshMs` while
 * Postgres answers.
 */
export function createAuthenticator(db: Pick<Db, 'pool'>, options: AuthenticatorOptions = {}): Authenticator {
  const { freshMs = 5_000, shareMs = 1_000, sweepMs = 30_000, saveMs = 3_000, saved } = options;
  const clock = options.clock ?? (() => performance.now());
  const onError = options.onError ?? (() => undefined);
  const ledger = openUsageLedger(db);
  const entries = new Map<string, Entry>();
  const asking = new Map<string, Promise<Principal | undefined>>();
  /** Refused here after they were valid: another process's file must not bring them back. */
  const dropped = new Set<string>();
  const timers: NodeJS.Timeout[] = [];
  let failedAt: number | undefined;
  let changed = false;
  let savedAt = 0;

  function keep(id: string, { rights, usage }: FoundKey, checkedAt: number, confirmedAt: number): Principal {
    const before = entries.get(id);
    const principal: Principal = {
      keyId: rights.keyId,
      family: rights.family,
      name: rights.name,
      scopes: impliedScopes(rights.scopes),
      model: rights.model,
      budget: ledger.budgetOf(rights, usage),
    };
    const endsAt = rights.expiresAt === null ? Number.POSITIVE_INFINITY : clock() + rights.expiresAt - Date.now();
    // Taken out first: the map is in order of last check, and the oldest goes when it is full.
    entries.delete(id);
    dropped.delete(id);
    entries.set(id, { principal, rights, checkedAt, endsAt, confirmedAt, used: before?.used ?? false });
    if (entries.size > KEPT) entries.delete(entries.keys().next().value as string);
    if (before === undefined || JSON.stringify(before.rights) !== JSON.stringify(rights)) changed = true;
    return principal;
  }

  function drop(id: string): void {
    if (!entries.delete(id)) return;
    changed = true;
    dropped.add(id);
    if (dropped.size > KEPT) dropped.delete(dropped.values().next().value as string);
  }

  async function ask(id: string): Promise<Principal | undefined> {
    const askedAt = clock();
    try {
      const found = (await readKeys(db, [id])).get(id);
      failedAt = undefined;
      if (found !== undefined) return keep(id, found, askedAt, Date.now());
      drop(id);
      return undefined;
    } catch (error) {
      failedAt = clock();
      throw error;
    }
  }

  /** One question at a time for each key. */
  function askOnce(id: string): Promise<Principal | undefined> {
    let pending = asking.get(id);
    if (pending === undefined) {
      pending = ask(id).finally(() => asking.delete(id));
      asking.set(id, pending);
    }
    return pending;
  }

  function idOf(header: string | undefined): string | undefined {
    const key = keyOfHeader(header);
    return key === undefined ? undefined : hashKey(key);
  }

  /** Confirms every known key at once, those that nobody uses included: a file must not keep what was revoked. */
  async function sweep(): Promise<void> {
    const known = [...entries];
    // Some at a time: requests are answered in between.
    for (let at = 0; at < known.length; at += SWEPT_AT_ONCE) {
      const some = known.slice(at, at + SWEPT_AT_ONCE);
      const askedAt = clock();
      const found = await readKeys(
        db,
        some.map(([id]) => id),
      );
      failedAt = undefined;
      for (const [id, entry] of some) {
        const key = found.get(id);
        // Somebody may have asked for it in the meantime.
        if (entries.get(id) !== entry) continue;
        if (key === undefined) drop(id);
        else keep(id, key, askedAt, Date.now());
      }
    }
    if (Date.now() - savedAt > RESAVED_MS) changed = true;
    await noteUse();
  }

  async function noteUse(): Promise<void> {
    const used = [...entries.values()].filter((entry) => entry.used);
    if (used.length === 0) return;
    for (const entry of used) entry.used = false;
    // What is left of a budget is saved with the key.
    if (used.some(({ principal }) => principal.budget !== null)) changed = true;
    await db.pool.query('UPDATE keys SET last_used_at = now() WHERE id = ANY($1::uuid[])', [
      [...new Set(used.map(({ rights }) => rights.keyId))],
    ]);
  }

  /** Takes over what others saved, then saves the whole: several servers may share the file. */
  async function save(): Promise<void> {
    if (saved === undefined || !changed) return;
    changed = false;
    try {
      await takeOver(saved);
      const keys = [...entries].map(([hash, { rights, confirmedAt, principal }]): SavedKey => {
        return {
          hash,
          confirmedAt,
          rights: { ...rights, scopes: rights.scopes as Scope[] },
          usage: principal.budget?.today() ?? null,
        };
      });
      await saved.write({ keys });
      savedAt = Date.now();
    } catch (error) {
      changed = true;
      throw error;
    }
  }

  async function takeOver(file: SavedKeys): Promise<void> {
    const oldest = Date.now() - SAVED_FOR_MS;
    for (const { hash, confirmedAt, rights, usage } of (await file.read())?.keys ?? []) {
      if (entries.has(hash) || dropped.has(hash) || confirmedAt < oldest || entries.size >= KEPT) continue;
      const before = changed;
      keep(hash, { rights, usage: usage ?? undefined }, Number.NEGATIVE_INFINITY, confirmedAt);
      changed = before;
    }
  }

  function every(milliseconds: number, what: string, work: () => Promise<void>): void {
    let busy = false;
    const timer = setInterval(() => {
      if (busy) return;
      busy = true;
      work()
        .catch((error: unknown) => onError(what, error))
        .finally(() => {
          busy = false;
        });
    }, milliseconds);
    timer.unref();
    timers.push(timer);
  }

  return {
    recall(header) {
      const id = idOf(header);
      const entry = id === undefined ? undefined : entries.get(id);
      if (entry === undefined) return undefined;
      const now = clock();
      if (now - entry.checkedAt > freshMs / 2 || now >= entry.endsAt) return undefined;
      entry.used = true;
      return entry.principal;
    },
    async authenticate(header) {
      const id = idOf(header);
      if (id === undefined) throw new UnderstudyError('unauthorized');
      const entry = entries.get(id);
      if (entry !== undefined) {
        if (clock() >= entry.endsAt) throw new UnderstudyError('unauthorized');
        entry.used = true;
        const age = clock() - entry.checkedAt;
        if (age <= freshMs / 2) return entry.principal;
        const away = failedAt !== undefined;
        if (age <= freshMs || away) {
          if (!away || clock() - (failedAt ?? 0) > RETRY_MS) void askOnce(id).catch(() => undefined);
          return entry.principal;
        }
        const answer = await Promise.race([
          askOnce(id).catch(() => entry.principal),
          waitFor(RETRY_MS).then(() => {
            failedAt ??= clock();
            return entry.principal;
          }),
        ]);
        if (answer === undefined) throw new UnderstudyError('unauthorized');
        return answer;
      }
      const late = waitFor(PATIENCE_MS).then(() => {
        throw new Error('no answer in time');
      });
      const principal = await Promise.race([askOnce(id), late]).catch((error: unknown) => {
        throw new UnderstudyError('keys_unavailable', { detail: errorDetail(error) });
      });
      if (principal === undefined) throw new UnderstudyError('unauthorized');
      const fresh = entries.get(id);
      if (fresh !== undefined) fresh.used = true;
      return principal;
    },
    async start() {
      if (saved !== undefined) {
        await takeOver(saved);
        // At once: what was revoked while this server was down must not outlive the first answer of Postgres.
        void sweep().catch((error: unknown) => onError('checked', error));
        every(saveMs, 'saved', save);
      }
      every(shareMs, 'shared', ledger.flush);
      every(sweepMs, 'checked', sweep);
    },
    async close() {
      for (const timer of timers.splice(0)) clearInterval(timer);
      const last = Promise.allSettled([ledger.flush(), noteUse(), save()]);
      await Promise.race([last, waitFor(RETRY_MS)]);
    },
  };
}

function waitFor(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });
}
