import type { ArtifactStore } from '../artifacts/index.js';
import type { Db } from '../db/index.js';
import { parsePolicy } from '../policy/index.js';
import { readRoutes } from '../routing/index.js';
import { readShadows } from '../shadow/index.js';
import { createAdapterServer } from './adapter-server.js';
import { holdVersionIfFree } from './hold-version.js';
import { checkedPath, loadOnReplica } from './load-adapter.js';
import type { Secrets, VersionRow } from './version-facts.js';

/** What one pass did, and what it could not do. */
export interface Reconciliation {
  loaded: { url: string; servedAs: string }[];
  unloaded: { url: string; servedAs: string }[];
  /** Trouble with one replica or adapter; the others were still looked after. */
  failed: { url: string; servedAs: string | null; error: unknown }[];
}

/**
 * Makes every replica serve what the routes use: champion, previous, second arm and shadow of each model, also after a restart.
 * Takes away adapters of versions that were archived or rejected longer ago than the policy's drain time, and nothing else:
 * names it does not know belong to somebody.
 */
export async function reconcile(
  db: Db,
  store: ArtifactStore,
  secrets: Secrets,
  { asOf, signal }: { asOf: Date; signal?: AbortSignal },
): Promise<Reconciliation> {
  const done: Reconciliation = { loaded: [], unloaded: [], failed: [] };
  const shadows = await readShadows(db, asOf);
  for (const route of await readRoutes(db)) {
    if (signal?.aborted) break;
    const inUse = [route.champion, route.previous, route.challenger, shadows.get(route.model)?.version ?? null];
    try {
      await reconcileModel(db, store, secrets, { model: route.model, inUse }, asOf, done, signal);
    } catch (error) {
      done.failed.push({ url: '', servedAs: route.model, error });
    }
  }
  return done;
}

async function reconcileModel(
  db: Db,
  store: ArtifactStore,
  secrets: Secrets,
  { model, inUse }: { model: string; inUse: readonly (number | null)[] },
  asOf: Date,
  done: Reconciliation,
  signal: AbortSignal | undefined,
): Promise<void> {
  const versions = await db.prisma.version.findMany({ where: { model, kind: 'adapter' } });
  if (versions.length === 0) return;
  const { serving } = parsePolicy((await db.prisma.model.findUniqueOrThrow({ where: { name: model } })).policy);
  const wanted = versions.filter(({ version }) => inUse.includes(version));
  const drained = versions.filter(
    (row) => !inUse.includes(row.version) && isDrained(row, asOf.getTime() - serving.drain),
  );
  const apiKey = secrets(serving.api_key);
  await Promise.all(
    serving.base_urls.map(async (url) => {
      const server = createAdapterServer(url, apiKey);
      const listed = await server.models(signal).catch((error: unknown) => {
        done.failed.push({ url, servedAs: null, error });
        return undefined;
      });
      if (listed === undefined) return;
      const names = new Set(listed.map(({ id }) => id));
      const attempt = async (row: VersionRow, work: () => Promise<boolean>, into: Reconciliation['loaded']) => {
        try {
          if (await work()) into.push({ url, servedAs: row.servedAs });
        } catch (error) {
          done.failed.push({ url, servedAs: row.servedAs, error });
        }
      };
      for (const row of wanted.filter(({ servedAs }) => !names.has(servedAs))) {
        const load = async () => {
          await loadOnReplica(server, row, await checkedPath(store, row), { apiKey, signal });
          return true;
        };
        await attempt(row, load, done.loaded);
      }
      for (const row of drained.filter(({ servedAs }) => names.has(servedAs))) {
        await attempt(row, () => unloadIfStillUnused(db, server.unload.bind(server), row, signal), done.unloaded);
      }
    }),
  );
}

/** Retired for longer than its last requests can take. A candidate is left alone: its cycle looks after it. */
function isDrained({ state, retiredAt }: VersionRow, before: number): boolean {
  return state !== 'candidate' && retiredAt !== null && retiredAt.getTime() < before;
}

/**
 * The route is read again right before: a rollback may have brought the version back since the pass began. One that is
 * loading it right now holds it; then the version is left alone, and the next pass looks again.
 */
async function unloadIfStillUnused(
  db: Db,
  unload: (name: string, signal?: AbortSignal) => Promise<unknown>,
  row: VersionRow,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const unloaded = await holdVersionIfFree(db, row, async () => {
    const route = await db.prisma.route.findUnique({ where: { model: row.model } });
    if (route && [route.champion, route.previous, route.challenger].includes(row.version)) return false;
    if ((await readShadows(db, new Date())).get(row.model)?.version === row.version) return false;
    await unload(row.servedAs, signal);
    return true;
  });
  return unloaded === true;
}
