import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { UnderstudyError } from '../errors.js';
import type { ArtifactStore } from './artifact-store.js';
import { fileFacts, filesDigest } from './files-digest.js';
import { parseReference } from './reference.js';
import { checkSafetensors } from './safetensors.js';

export const CONFIG = 'adapter_config.json';
export const WEIGHTS = 'adapter_model.safetensors';
const MAX_CONFIG_BYTES = 1024 * 1024;

/** What was recorded about an adapter when it was made. */
export interface ExpectedAdapter {
  sha256: string;
  baseModel: string;
  rank: number;
}

export interface InspectedAdapter {
  /** Folder with the two files, as an adapter server is told it. */
  path: string;
  sha256: string;
  baseModel: string;
  rank: number;
}

/** PEFT's LoRA configuration, as far as it decides whether and for what the adapter can be served. */
const configSchema = z.object({
  peft_type: z.literal('LORA'),
  base_model_name_or_path: z.string().min(1),
  r: z.int().min(1),
  modules_to_save: z.array(z.string()).max(0, 'must be empty: whole modules cannot be served as an adapter').nullish(),
});

/**
 * Looks at an adapter before anything is done with it: exactly `adapter_config.json` and `adapter_model.safetensors`, plain
 * files, the recorded digest, real safetensors, the recorded base and rank. Throws `artifact_missing`, `artifact_refused`,
 * `adapter_refused`, `adapter_digest_mismatch` or `adapter_base_mismatch`. Nothing in the files is executed or unpickled.
 */
export async function inspectAdapter(
  store: ArtifactStore,
  uri: string,
  expected: ExpectedAdapter,
): Promise<InspectedAdapter> {
  const { segments } = parseReference(uri);
  if (segments.length !== 2 || segments[0] !== 'adapters')
    throw refused('an adapter has a URI artifact:adapters/<digest>');
  const path = await store.localPath(uri);
  await checkFiles(path);

  // The digest comes before any look inside: of files that were changed, nothing else is worth knowing.
  const files = await Promise.all([CONFIG, WEIGHTS].map((name) => fileFacts(name, join(path, name))));
  const actual = filesDigest(files);
  if (actual !== expected.sha256 || segments[1] !== expected.sha256) {
    throw new UnderstudyError('adapter_digest_mismatch', { uri, actual, expected: expected.sha256 });
  }
  await checkWeights(join(path, WEIGHTS));

  const config = await readConfig(join(path, CONFIG));
  if (config.base_model_name_or_path !== expected.baseModel) {
    throw new UnderstudyError('adapter_base_mismatch', {
      actual: config.base_model_name_or_path.slice(0, 200),
      expected: expected.baseModel,
    });
  }
  if (config.r !== expected.rank) throw refused(`its rank is ${config.r}, recorded was ${expected.rank}`);
  return { path, sha256: actual, baseModel: config.base_model_name_or_path, rank: config.r };
}

/** Throws `adapter_refused` unless it is real safetensors. */
export async function checkWeights(path: string): Promise<void> {
  await checkSafetensors(path).catch((error: Error) => {
    throw refused(`${WEIGHTS} ${error.message}`);
  });
}

async function checkFiles(path: string): Promise<void> {
  if (!(await lstat(path)).isDirectory()) throw refused('it is not a folder');
  const names = (await readdir(path)).sort();
  const foreign = names.filter((name) => name !== CONFIG && name !== WEIGHTS);
  if (foreign.length > 0) {
    throw refused(
      `it may contain only ${CONFIG} and ${WEIGHTS}, found also ${JSON.stringify(foreign.join(', ').slice(0, 100))}`,
    );
  }
  for (const name of [CONFIG, WEIGHTS]) {
    if (!names.includes(name)) throw refused(`${name} is missing`);
    const facts = await lstat(join(path, name));
    if (!facts.isFile()) throw refused(`${name} is not a plain file`);
    if (name === CONFIG && facts.size > MAX_CONFIG_BYTES)
      throw refused(`${name} is larger than ${MAX_CONFIG_BYTES} bytes`);
  }
}

/** Throws `adapter_refused` for one that says nothing that can be served. */
export async function readConfig(path: string): Promise<z.output<typeof configSchema>> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, 'utf8'));
  } catch {
    throw refused(`${CONFIG} is not JSON`);
  }
  const parsed = configSchema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw refused(`${CONFIG}: ${issue?.path.join('.')} ${issue?.message}`);
  }
  return parsed.data;
}

function refused(detail: string): UnderstudyError {
  return new UnderstudyError('adapter_refused', { detail });
}
