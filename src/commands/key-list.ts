import { type ListedKey, listKeys } from '../access/index.js';
import { show, table } from './output.js';
import { withDb } from './with-db.js';

/** Every key, newest first, with what it may do and when it was last used. */
export async function keyList(options: { json?: boolean }): Promise<void> {
  const keys = await withDb((db) => listKeys(db));
  show(options.json ?? false, { keys }, () =>
    keys.length === 0
      ? 'no keys yet; make one with `understudy key create`'
      : table(
          ['id', 'name', 'prefix', 'scopes', 'model', 'limits', 'created', 'last used', 'state'],
          keys.map((key) => [
            key.id,
            key.name,
            key.prefix,
            key.scopes.join(','),
            key.model,
            limitsOf(key),
            minute(key.created_at),
            key.last_used_at === null ? null : minute(key.last_used_at),
            stateOf(key),
          ]),
        ),
  );
}

function limitsOf({ requests_per_minute, tokens_per_day, tokens_today }: ListedKey): string | null {
  const limits = [
    ...(requests_per_minute === null ? [] : [`${requests_per_minute} requests/min`]),
    ...(tokens_per_day === null ? [] : [`${tokens_today} of ${tokens_per_day} tokens today`]),
  ];
  return limits.length === 0 ? null : limits.join(', ');
}

function stateOf({ state, expires_at, revoked_at }: ListedKey): string {
  if (state === 'active') return state;
  if (state === 'ending') return `until ${minute(expires_at ?? '')}`;
  return `${state} ${minute((state === 'revoked' ? revoked_at : expires_at) ?? '')}`;
}

/** `2026-11-21T09:30Z` */
function minute(time: string): string {
  return `${time.slice(0, 16)}Z`;
}
