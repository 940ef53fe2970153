import type { Db } from '../db/index.js';

/** A key as it is shown; never its hash. */
export interface ListedKey {
  id: string;
  name: string;
  /** First characters; null for keys made before they were kept. */
  prefix: string | null;
  scopes: string[];
  /** Null: all. */
  model: string | null;
  state: 'active' | 'ending' | 'expired' | 'revoked';
  requests_per_minute: number | null;
  tokens_per_day: number | null;
  /** Of its family, today (UTC), over all gateways. */
  tokens_today: number;
  created_at: string;
  /** Within half a minute or so; null: never, or while Postgres was away. */
  last_used_at: string | null;
  expires_at: string | null;
  revoked_at: string | null;
  /** The key that it replaced. */
  successor_of: string | null;
}

/** Every key, newest first; those that ended included. */
export async function listKeys(db: Pick<Db, 'prisma'>, now = new Date()): Promise<ListedKey[]> {
  const [keys, usage] = await Promise.all([
    db.prisma.key.findMany({ orderBy: [{ createdAt: 'desc' }, { id: 'asc' }] }),
    db.prisma.keyUsage.findMany({ where: { day: new Date(now.toISOString().slice(0, 10)) } }),
  ]);
  const used = new Map(usage.map(({ family, tokens }) => [family, Number(tokens)]));
  return keys.map((key) => ({
    id: key.id,
    name: key.name,
    prefix: key.prefix,
    scopes: key.scopes,
    model: key.model,
    state: stateOf(key, now),
    requests_per_minute: key.requestsPerMinute,
    tokens_per_day: key.tokensPerDay === null ? null : Number(key.tokensPerDay),
    tokens_today: used.get(key.family) ?? 0,
    created_at: key.createdAt.toISOString(),
    last_used_at: key.lastUsedAt?.toISOString() ?? null,
    expires_at: key.expiresAt?.toISOString() ?? null,
    revoked_at: key.revokedAt?.toISOString() ?? null,
    successor_of: key.successorOf,
  }));
}

function stateOf({ revokedAt, expiresAt }: { revokedAt: Date | null; expiresAt: Date | null }, now: Date) {
  if (revokedAt !== null) return 'revoked';
  if (expiresAt === null) return 'active';
  return expiresAt > now ? 'ending' : 'expired';
}
