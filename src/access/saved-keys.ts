import { z } from 'zod';
import { openStateFile, type StateFolder } from '../state/index.js';
import { SCOPES } from './scopes.js';

const count = z.number().min(0);

/** A key that Postgres has confirmed, as it is kept for a restart while Postgres is away: its hash, never itself. */
const savedKey = z.strictObject({
  /** SHA-256 in base64. */
  hash: z.string().length(44),
  /** Unix time in ms. */
  confirmedAt: z.number(),
  rights: z.strictObject({
    keyId: z.string(),
    name: z.string(),
    scopes: z.array(z.enum(SCOPES)),
    model: z.string().nullable(),
    family: z.string(),
    requestsPerMinute: count.nullable(),
    tokensPerDay: count.nullable(),
    expiresAt: z.number().nullable(),
  }),
  /** What its family had used when it was saved. */
  usage: z.strictObject({ day: count, tokens: count, requests: count }).nullable(),
});

export type SavedKey = z.output<typeof savedKey>;

/** Where confirmed keys are kept for a restart; several servers may share it. `read` never throws. */
export interface SavedKeys {
  read(): Promise<{ keys: SavedKey[] } | undefined>;
  write(value: { keys: SavedKey[] }): Promise<void>;
}

const FORMAT = { version: 1, schema: z.strictObject({ keys: z.array(savedKey) }) };

/** The file `keys` of a server's state. `onIgnored` hears why a file that is there was not taken. */
export function openSavedKeys(state: StateFolder, onIgnored: (why: string) => void): SavedKeys {
  return openStateFile(state, 'keys', FORMAT, onIgnored);
}
