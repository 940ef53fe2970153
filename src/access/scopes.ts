/**
 * What a key may do: store, ask, look; keep cycles going (`run`), say which version answers (`approve`), both and shadows
 * (`operate`), everything.
 */
export const SCOPES = ['ingest', 'serve', 'read', 'run', 'approve', 'operate', 'admin'] as const;

export type Scope = (typeof SCOPES)[number];

/**
 * The scopes that come with the given ones: `operate` implies `run` and `approve`, each of them `read`, `admin` implies all.
 * Unknown ones are left out.
 */
export function impliedScopes(scopes: readonly string[]): ReadonlySet<Scope> {
  const held = new Set(SCOPES.filter((scope) => scopes.includes(scope)));
  if (held.has('admin')) return new Set(SCOPES);
  if (held.has('operate')) held.add('run').add('approve');
  if (held.has('run') || held.has('approve')) held.add('read');
  return held;
}
