import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Db } from '../db/index.js';
import { type AuthenticatorOptions, createAuthenticator } from './authenticator.js';
import { hashKey, keyOfHeader, makeKey } from './key.js';
import type { KeyRow } from './read-keys.js';
import type { SavedKey, SavedKeys } from './saved-keys.js';
import { impliedScopes } from './scopes.js';

type Row = Omit<KeyRow, 'tokens' | 'requests'>;

/** Postgres with one table, and a switch. */
class FakeKeys {
  readonly rows = new Map<string, Row>();
  readonly used: string[][] = [];
  asked = 0;
  away = false;
  readonly pool = {
    query: async (sql: string, [given]: [Buffer[] | string[]]) => {
      if (this.away) throw Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
      if (sql.startsWith('UPDATE keys')) return void this.used.push(given as string[]);
      this.asked += 1;
      return { rows: (given as Buffer[]).flatMap((hash) => this.rows.get(hash.toString('base64')) ?? []) };
    },
  };
  add(change: Partial<Row> = {}): string {
    const key = makeKey();
    const hash = Buffer.from(hashKey(key), 'base64');
    const limits = { requests_per_minute: null, tokens_per_day: null, expires_at: null, day: null };
    const row = { id: 'k', name: 'app', hash, scopes: ['operate'], model: null, family: 'k', ...limits, ...change };
    this.rows.set(hashKey(key), row);
    return key;
  }
}

/** A file that outlives the authenticator. */
class FakeFile implements SavedKeys {
  keys: SavedKey[] = [];
  writes = 0;
  read = async () => ({ keys: this.keys });
  write = async ({ keys }: { keys: SavedKey[] }) => {
    this.writes += 1;
    this.keys = JSON.parse(JSON.stringify(keys)) as SavedKey[];
  };
}

let keys: FakeKeys;
let now: number;
const authenticator = (options: AuthenticatorOptions = {}) =>
  createAuthenticator(keys as unknown as Pick<Db, 'pool'>, { clock: () => now, ...options });
const settled = () => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => {
  keys = new FakeKeys();
  now = 0;
});

describe('authenticate', () => {
  it('takes well-formed bearer keys that are stored, and nothing else', async () => {
    const { authenticate } = authenticator();
    const key = keys.add();
    expect(await authenticate(`Bearer ${key}`)).toMatchObject({
      keyId: 'k',
      family: 'k',
      name: 'app',
      model: null,
      scopes: new Set(['read', 'run', 'approve', 'operate']),
    });
    expect(await authenticate(`bearer  ${key} `)).toMatchObject({ keyId: 'k' });
    for (const header of [
      undefined,
      '',
      key,
      `Basic ${key}`,
      `Bearer ${key}x`,
      'Bearer us_short',
      `Bearer ${makeKey()}`,
    ]) {
      await expect(authenticate(header)).rejects.toMatchObject({ code: 'unauthorized' });
    }
  });

  it('asks the database once in a while, behind the back of a busy key', async () => {
    const { authenticate } = authenticator();
    const header = `Bearer ${keys.add()}`;
    for (now = 0; now <= 2_500; now += 100) await authenticate(header);
    expect(keys.asked).toBe(1);
    await authenticate(header);
    await settled();
    expect(keys.asked).toBe(2);
  });

  it('refuses a revoked key after five seconds at the latest', async () => {
    const { authenticate } = authenticator();
    const header = `Bearer ${keys.add()}`;
    await authenticate(header);
    keys.rows.clear();
    now = 5_001;
    await expect(authenticate(header)).rejects.toMatchObject({ code: 'unauthorized' });
  });

  it('lets a key that was confirmed before go on while Postgres is away, and refuses it afterwards when it was revoked', async () => {
    const { authenticate } = authenticator();
    const header = `Bearer ${keys.add()}`;
    await authenticate(header);
    keys.away = true;
    for (now = 0; now < 600_000; now += 10_000) expect(await authenticate(header)).toMatchObject({ keyId: 'k' });
    await expect(authenticate(`Bearer ${keys.add()}`)).rejects.toMatchObject({ code: 'keys_unavailable' });
    keys.away = false;
    keys.rows.clear();
    now += 2_000;
    await authenticate(header);
    await settled();
    await expect(authenticate(header)).rejects.toMatchObject({ code: 'unauthorized' });
  });
});

describe('recall', () => {
  it('answers at once for a key that was confirmed a moment ago, and for no other', async () => {
    const { authenticate, recall } = authenticator();
    const header = `Bearer ${keys.add()}`;
    expect(recall(header)).toBeUndefined();
    const principal = await authenticate(header);
    expect(recall(header)).toBe(principal);
    for (const other of [undefined, 'Bearer us_short', `Bearer ${makeKey()}`]) expect(recall(other)).toBeUndefined();
    now = 2_501;
    expect(recall(header)).toBeUndefined();
  });
});

describe('a key with an end', () => {
  it('is refused from then on, also from memory and while Postgres is away', async () => {
    const { authenticate, recall } = authenticator();
    const header = `Bearer ${keys.add({ expires_at: new Date(Date.now() + 2_000) })}`;
    await authenticate(header);
    keys.away = true;
    now = 1_900;
    expect(recall(header)).toBeDefined();
    now = 2_100;
    expect(recall(header)).toBeUndefined();
    await expect(authenticate(header)).rejects.toMatchObject({ code: 'unauthorized' });
  });
});

describe('the file of confirmed keys', () => {
  let file: FakeFile;
  beforeEach(() => {
    file = new FakeFile();
  });
  const saving = { saveMs: 5, sweepMs: 10, shareMs: 10_000 };

  it('lets keys used before a restart go on while Postgres is away, and holds no key', async () => {
    const [key, unused] = [keys.add({ model: 'm', name: 'shop' }), keys.add()];
    const first = authenticator({ saved: file, ...saving });
    await first.start();
    await first.authenticate(`Bearer ${key}`);
    await first.close();
    expect(file.keys).toHaveLength(1);
    expect(JSON.stringify(file.keys)).not.toContain(key.slice(3));

    keys.away = true;
    const second = authenticator({ saved: file, ...saving });
    await second.start();
    expect(await second.authenticate(`Bearer ${key}`)).toMatchObject({
      name: 'shop',
      model: 'm',
      scopes: new Set(['read', 'run', 'approve', 'operate']),
    });
    await expect(second.authenticate(`Bearer ${unused}`)).rejects.toMatchObject({ code: 'keys_unavailable' });
    await second.close();
  });

  it('is written once for many requests of the same keys', async () => {
    const header = `Bearer ${keys.add()}`;
    const { start, authenticate, close } = authenticator({ saved: file, ...saving, sweepMs: 10_000 });
    await start();
    for (let n = 0; n < 100; n++) await authenticate(header);
    await vi.waitFor(() => expect(file.writes).toBe(1));
    for (let n = 0; n < 100; n++) await authenticate(header);
    await close();
    expect(file.writes).toBe(1);
  });

  it('forgets a revoked key that nobody uses, and another server cannot bring it back', async () => {
    const [revoked, kept] = [keys.add(), keys.add()];
    const { start, authenticate, close } = authenticator({ saved: file, ...saving });
    await start();
    for (const key of [revoked, kept]) await authenticate(`Bearer ${key}`);
    await vi.waitFor(() => expect(file.keys).toHaveLength(2));
    const others = [...file.keys];
    keys.rows.delete(hashKey(revoked));
    await vi.waitFor(() => expect(file.keys.map(({ hash }) => hash)).toEqual([hashKey(kept)]));
    file.keys = others;
    await authenticate(`Bearer ${keys.add()}`);
    await close();
    expect(file.keys.map(({ hash }) => hash)).not.toContain(hashKey(revoked));
    expect(file.keys).toHaveLength(2);
  });

  it('is believed no longer than its keys were confirmed, and not beyond their end', async () => {
    const [old, ended, good] = [keys.add(), keys.add({ expires_at: new Date(Date.now() - 1) }), keys.add()];
    const { rows } = keys;
    const saved = ([key, confirmedAt]: [string, number]): SavedKey => ({
      hash: hashKey(key),
      confirmedAt,
      rights: {
        keyId: 'k',
        name: 'app',
        scopes: ['read'],
        model: null,
        family: 'k',
        requestsPerMinute: null,
        tokensPerDay: null,
        expiresAt: rows.get(hashKey(key))!.expires_at?.getTime() ?? null,
      },
      usage: null,
    });
    file.keys = (
      [
        [old, Date.now() - 8 * 86_400_000],
        [ended, Date.now()],
        [good, Date.now()],
      ] as [string, number][]
    ).map(saved);
    keys.away = true;
    const { start, authenticate, close } = authenticator({ saved: file, ...saving });
    await start();
    await expect(authenticate(`Bearer ${old}`)).rejects.toMatchObject({ code: 'keys_unavailable' });
    await expect(authenticate(`Bearer ${ended}`)).rejects.toMatchObject({ code: 'unauthorized' });
    expect(await authenticate(`Bearer ${good}`)).toMatchObject({ keyId: 'k' });
    await close();
  });

  it('gives way to Postgres as soon as that answers', async () => {
    const key = keys.add();
    const first = authenticator({ saved: file, ...saving });
    await first.start();
    await first.authenticate(`Bearer ${key}`);
    await first.close();
    keys.rows.clear();
    const second = authenticator({ saved: file, ...saving });
    await second.start();
    await expect(second.authenticate(`Bearer ${key}`)).rejects.toMatchObject({ code: 'unauthorized' });
    await second.close();
  });
});

describe('the last use', () => {
  it('is written for the keys that were used, once for many requests', async () => {
    const [one, other] = [keys.add({ id: 'one' }), keys.add({ id: 'other' })];
    const { start, authenticate, close } = authenticator({ sweepMs: 10 });
    await start();
    for (const key of [one, other, one]) await authenticate(`Bearer ${key}`);
    await vi.waitFor(() => expect(keys.used).toEqual([['one', 'other']]));
    await authenticate(`Bearer ${one}`);
    await close();
    expect(keys.used.at(-1)).toEqual(['one']);
    expect(keys.used).toHaveLength(2);
  });
});

describe('scopes', () => {
  it('operate implies read, admin implies all, others only themselves', () => {
    expect([...impliedScopes(['operate'])].sort()).toEqual(['approve', 'operate', 'read', 'run']);
    expect([...impliedScopes(['approve'])].sort()).toEqual(['approve', 'read']);
    expect([...impliedScopes(['run'])].sort()).toEqual(['read', 'run']);
    expect([...impliedScopes(['admin'])].sort()).toEqual([
      'admin',
      'approve',
      'ingest',
      'operate',
      'read',
      'run',
      'serve',
    ]);
    expect([...impliedScopes(['serve', 'root'])]).toEqual(['serve']);
  });
});

describe('keys', () => {
  it('have 32 random bytes and are recognised in a header', () => {
    const key = makeKey();
    expect(Buffer.from(key.slice(3), 'base64url')).toHaveLength(32);
    expect(makeKey()).not.toBe(key);
    expect(keyOfHeader(`Bearer ${key}`)).toBe(key);
  });
});
