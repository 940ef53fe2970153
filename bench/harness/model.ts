import { createKey } from '../../src/access/index.js';
import type { Db } from '../../src/db/index.js';
import { applyModel } from '../../src/registry/index.js';

/**
 * A model with its base as champion, as `understudy model apply` makes it.
 *
 * @param options.upstream `http://host:port` of who answers for it; default: nobody
 * @param options.policy over the policy of every bench
 */
export async function applyBenchModel(
  db: Db,
  name: string,
  options: { upstream?: string; policy?: Readonly<Record<string, unknown>> } = {},
): Promise<void> {
  const baseUrl = options.upstream ?? 'http://127.0.0.1:9';
  await applyModel(
    db,
    {
      name,
      base_model: 'bench-base',
      upstream: { base_url: `${baseUrl}/v1`, model: 'base' },
      serving: { base_urls: [baseUrl] },
      sandbox: true,
      ...options.policy,
    },
    { actor: 'bench' },
  );
}

/** A real key with the given scopes. */
export async function benchKey(db: Db, ...scopes: string[]): Promise<string> {
  return (await createKey(db, { name: 'bench', scopes })).key;
}
