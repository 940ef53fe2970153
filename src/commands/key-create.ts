import { createKey } from '../access/index.js';
import { show } from './output.js';
import { withDb } from './with-db.js';

/** Makes a key. It is shown this once; only its hash is stored. */
export async function keyCreate(options: {
  scope: string[];
  model?: string;
  name: string;
  json?: boolean;
}): Promise<void> {
  const scopes = options.scope.flatMap((list) => list.split(',')).filter((scope) => scope !== '');
  const created = await withDb((db) => createKey(db, { name: options.name, scopes, model: options.model ?? null }));
  show(
    options.json ?? false,
    { id: created.id, key: created.key, scopes, model: options.model ?? null },
    () => created.key,
  );
}
