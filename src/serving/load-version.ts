import type { ArtifactStore } from '../artifacts/index.js';
import type { Db } from '../db/index.js';
import { createAdapterServer } from './adapter-server.js';
import { checkedPath, loadOnReplica } from './load-adapter.js';
import { assertServable, readVersion, type Secrets } from './version-facts.js';

/**
 * Has every replica serve a version: files checked against the record, loaded, listed, and one smoke prompt answered. A
 * base or remote version needs nothing. Repeating it is cheap. Throws `version_rejected`, `adapter_dropped`, what `inspectAdapter` throws,
 * `serving_unreachable` and `serving_refused`.
 */
export async function loadVersion(
  db: Db,
  store: ArtifactStore,
  secrets: Secrets,
  { model, version, signal }: { model: string; version: number; signal?: AbortSignal },
): Promise<void> {
  const { row, policy } = await readVersion(db, model, version);
  assertServable(row);
  if (row.kind !== 'adapter') return;
  const path = await checkedPath(store, row);
  const apiKey = secrets(policy.serving.api_key);
  await Promise.all(
    policy.serving.base_urls.map((url) =>
      loadOnReplica(createAdapterServer(url, apiKey), row, path, { apiKey, signal }),
    ),
  );
}
