import { createReadStream } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { UnderstudyError } from '../errors.js';
import type { ArtifactStore } from './artifact-store.js';
import { CONFIG, checkWeights, type ExpectedAdapter, inspectAdapter, readConfig, WEIGHTS } from './inspect-adapter.js';

/**
 * Takes an adapter that was trained elsewhere into the store, from a folder as PEFT writes it: the two files that an adapter
 * is, and nothing else that lies there. They are looked at as any adapter is before it is served. The same files again are
 * the same artifact. Throws `adapter_refused`.
 */
export async function importAdapter(store: ArtifactStore, folder: string): Promise<ExpectedAdapter & { uri: string }> {
  const [config, weights] = [join(folder, CONFIG), join(folder, WEIGHTS)];
  for (const path of [config, weights]) {
    const facts = await lstat(path).catch(() => null);
    if (!facts?.isFile()) throw new UnderstudyError('adapter_refused', { detail: `${path} is not a plain file` });
  }
  await checkWeights(weights);
  const { base_model_name_or_path: baseModel, r: rank } = await readConfig(config);
  const files = { [CONFIG]: createReadStream(config), [WEIGHTS]: createReadStream(weights) };
  const { uri, digest: sha256 } = await store.putFiles('adapters', files);
  const expected = { sha256, baseModel, rank };
  await inspectAdapter(store, uri, expected);
  return { uri, ...expected };
}
