import type { ArtifactStore } from '../artifacts/index.js';
import type { Db } from '../db/index.js';
import { createAdapterServer } from './adapter-server.js';
import { holdVersion } from './hold-version.js';
import { loadVersion } from './load-version.js';
import { readVersion, type Secrets } from './version-facts.js';

/**
 * Unloads an adapter version from every replica, unless the route uses it as champion, previous or second arm. A replica
 * that does not have it is fine. Whoever routed to it must have waited for its requests to end. Throws `serving_unreachable`.
 */
export async function unloadVersion(
  db: Db,
  store: ArtifactStore,
  secrets: Secrets,
  { model, version, signal }: { model: string; version: number; signal?: AbortSignal },
): Promise<{ unloaded: boolean }> {
  const { row, policy } = await readVersion(db, model, version);
  if (row.kind !== 'adapter') return { unloaded: false };
  const apiKey = secrets(policy.serving.api_key);
  const unloaded = await holdVersion(db, { model, version }, async () => {
    if (await isInRoute(db, model, version)) return false;
    await Promise.all(
      policy.serving.base_urls.map((url) => createAdapterServer(url, apiKey).unload(row.servedAs, signal)),
    );
    return true;
  });
  if (!unloaded) return { unloaded };
  // A route change does not wait for servers, so it may have come in between; then the version is needed again.
  if (await isInRoute(db, model, version)) {
    await loadVersion(db, store, secrets, { model, version, ...(signal && { signal }) });
    return { unloaded: false };
  }
  return { unloaded: true };
}

async function isInRoute(db: Db, model: string, version: number): Promise<boolean> {
  const route = await db.prisma.route.findUnique({ where: { model } });
  return route !== null && [route.champion, route.previous, route.challenger].includes(version);
}
