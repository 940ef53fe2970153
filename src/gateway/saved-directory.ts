import { z } from 'zod';
import { openStateFile, type StateFolder } from '../state/index.js';

const model = z.strictObject({
  name: z.string().min(1),
  policy: z.record(z.string(), z.unknown()),
  policy_digest: z.string(),
  created_at: z.iso.datetime(),
});
const version = z.strictObject({
  model: z.string().min(1),
  version: z.int().min(1),
  kind: z.string(),
  state: z.string(),
  served_as: z.string(),
});
const schema = z.strictObject({
  models: z.array(model),
  versions: z.array(version),
  /** Of the experiments that routes are on. */
  experiments: z.array(z.strictObject({ id: z.uuid(), kind: z.string() })),
});

/** What a directory is made of. Policies name the variables that hold secrets, never their values. */
export type DirectoryRows = z.infer<typeof schema>;

/** The directory on disk, for a gateway that starts while Postgres is away. */
export function openSavedDirectory(state: StateFolder, onIgnored: (why: string) => void) {
  return openStateFile<DirectoryRows>(state, 'directory', { version: 1, schema }, onIgnored);
}
