import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ArtifactStore, inspectAdapter } from '../artifacts/index.js';
import { UnderstudyError } from '../errors.js';
import type { AdapterServer, LoadedModel } from './adapter-server.js';
import { askChat } from './ask-chat.js';
import type { VersionRow } from './version-facts.js';

/** The last of growing pauses: 12.8 s in all. */
const LONGEST_PAUSE_MS = 6_400;

/** Checks the files of an adapter version against what was recorded and answers the folder to load. */
export async function checkedPath(store: ArtifactStore, row: VersionRow): Promise<string> {
  const { adapterUri, adapterSha256: sha256, adapterRank: rank, baseModel } = row;
  // The table's constraint has all three for every adapter.
  const { path } = await inspectAdapter(store, adapterUri!, { sha256: sha256!, baseModel, rank: rank! });
  return path;
}

/**
 * Has one replica serve an adapter that was checked, and believes it only when the replica lists it from the right folder
 * and answers a prompt with it. An adapter that is there already is left alone. Throws `serving_unreachable`, and
 * `serving_refused` also for a name that stands for another folder: names are never used twice.
 */
export async function loadOnReplica(
  server: AdapterServer,
  row: VersionRow,
  path: string,
  options: { apiKey: string | undefined; signal?: AbortSignal | undefined },
): Promise<void> {
  const { servedAs: name } = row;
  const { signal, apiKey } = options;
  const before = find(await server.models(signal), name);
  if (before !== undefined) assertSame(server, before, path);
  else await server.load(name, path, signal);
  const loaded = await untilListed(server, name, signal);
  if (loaded === undefined) throw refused(server, `${name} was loaded but is not listed by /v1/models`);
  assertSame(server, loaded, path);
  const answer = await askChat(
    { baseUrl: `${server.url}/v1`, model: name, apiKey },
    { messages: [{ role: 'user', content: 'Hello' }], maxTokens: 4, timeoutMs: 60_000, signal },
  );
  if (answer === null) throw refused(server, `${name} does not answer a smoke prompt`);
}

/** A load that somebody else began makes the name taken before it is listed. */
async function untilListed(
  server: AdapterServer,
  name: string,
  signal: AbortSignal | undefined,
): Promise<LoadedModel | undefined> {
  for (let pause = 50; ; pause *= 2) {
    const listed = find(await server.models(signal), name);
    if (listed !== undefined || pause > LONGEST_PAUSE_MS) return listed;
    await sleep(pause, undefined, { signal });
  }
}

/** Content-addressed: a folder named by the same digest holds the same adapter, wherever the replica has the store mounted. */
function assertSame(server: AdapterServer, { root, id }: LoadedModel, path: string): void {
  if (root !== null && basename(root) === basename(path)) return;
  throw refused(server, `the name ${id} stands for another adapter there; unload it, or restart the server`);
}

function find(models: LoadedModel[], name: string): LoadedModel | undefined {
  return models.find(({ id }) => id === name);
}

function refused(server: AdapterServer, detail: string): UnderstudyError {
  return new UnderstudyError('serving_refused', { url: server.url, detail });
}
