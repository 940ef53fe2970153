import { beforeEach, describe, expect, it } from 'vitest';
import type { Db } from '../db/index.js';
import { createAuthenticator } from './authenticator.js';
import { hashKey, keyOfHeader, makeKey } from './key.js';
import { impliedScopes } from './scopes.js';

/** Postgres with one table, and a switch. */
class FakeKeys {
  readonly rows = new Map<string, { id: string; name: string; hash: Buffer; scopes: string[]; model: string | null }>();
  asked = 0;
  away = false;
  readonly pool = {
    query: async (_sql: string, [hash]: [Buffer]) => {
      this.asked += 1;
      if (this.away) throw Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
      const row = this.rows.get(hash.toString('hex'));
      return { rows: row === undefined ? [] : [row] };
    },
  };
  add(): string {
    const key = makeKey();
    const hash = hashKey(key);
    this.rows.set(hash.toString('hex'), { id: 'k', name: 'app', hash, scopes: ['operate'], model: null });
    return key;
  }
}

let keys: FakeKeys;
let now: number;
const authenticator = () => createAuthenticator(keys as unknown as Pick<Db, 'pool'>, { clock: () => now });
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
      name: 'app',
      model: null,
      scopes: new Set(['operate', 'read']),
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
    await expect(authenticate(`Bearer ${keys.add()}`)).rejects.toMatchObject({ code: 'database_unreachable' });
    keys.away = false;
    keys.rows.clear();
    now += 2_000;
    await authenticate(header);
    await settled();
    await expect(authenticate(header)).rejects.toMatchObject({ code: 'unauthorized' });
  });
});

describe('scopes', () => {
  it('operate implies read, admin implies all, others only themselves', () => {
    expect([...impliedScopes(['operate'])].sort()).toEqual(['operate', 'read']);
    expect([...impliedScopes(['admin'])].sort()).toEqual(['admin', 'ingest', 'operate', 'read', 'serve']);
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
