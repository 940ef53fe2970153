import { revokeKey } from '../access/index.js';
import { show } from './output.js';
import { withDb } from './with-db.js';

/** Ends a key for good; a second time changes nothing. */
export async function keyRevoke(id: string, options: { json?: boolean }): Promise<void> {
  const done = await withDb((db) => revokeKey(db, id));
  const at = done.revokedAt.toISOString();
  show(options.json ?? false, { id: done.id, revoked_at: at, already: done.already }, () =>
    done.already ? `key ${done.id} was revoked already, at ${at}` : `key ${done.id} is revoked`,
  );
}
