/** What a key may do: store, ask, look, change, everything. */
export const SCOPES = ['ingest', 'serve', 'read', 'operate', 'admin'] as const;

export type Scope = (typeof SCOPES)[number];

/** The scopes that come with the given ones: `operate` implies `read`, `admin` implies all. Unknown ones are left out. */
export function impliedScopes(scopes: readonly string[]): ReadonlySet<Scope> {
  const held = new Set(SCOPES.filter((scope) => scopes.includes(scope)));
  if (held.has('admin')) return new Set(SCOPES);
  if (held.has('operate')) held.add('read');
  return held;
}
