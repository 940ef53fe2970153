import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { NativeConnectionOptions } from '@temporalio/worker';
import { errorDetail, UnderstudyError } from '../errors.js';

/** Where Temporal is and how to log in. */
export interface TemporalConfig {
  /** `host:port`. */
  address: string;
  namespace: string;
  options: NativeConnectionOptions;
}

export interface TemporalConnection {
  client: Client;
  connection: Connection;
  address: string;
  namespace: string;
  close(): Promise<void>;
}

const DEFAULT_ADDRESS = 'localhost:7233';

/**
 * Reads the standard `TEMPORAL_*` variables (address, namespace, API key, TLS …) and the profile file that the `temporal`
 * command uses too; `TEMPORAL_PROFILE` chooses a profile. Throws `invalid_option` for a profile that cannot be used.
 */
export function readTemporalConfig(env: NodeJS.ProcessEnv): TemporalConfig {
  try {
    const variables = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
    const { connectionOptions, namespace } = loadClientConnectConfig({
      overrideEnvVars: Object.fromEntries(variables),
    });
    const address = connectionOptions.address ?? DEFAULT_ADDRESS;
    return { address, namespace: namespace ?? 'default', options: { ...connectionOptions, address } };
  } catch (error) {
    const detail = error instanceof Error ? error.message : errorDetail(error);
    throw new UnderstudyError('invalid_option', { option: 'TEMPORAL_PROFILE', detail }, { cause: error });
  }
}

/**
 * Connects as a client: to start, signal and query. Close it when done.
 * @param timeoutMs how long to try, milliseconds; default 10 s
 * @throws UnderstudyError temporal_unreachable
 */
export async function connectTemporal(config: TemporalConfig, timeoutMs = 10_000): Promise<TemporalConnection> {
  const { address, namespace, options } = config;
  try {
    const connection = await Connection.connect({ ...clientOptions(options), connectTimeout: timeoutMs });
    const client = new Client({ connection, namespace });
    return { client, connection, address, namespace, close: () => connection.close() };
  } catch (error) {
    throw unreachable(address, error);
  }
}

/**
 * A client that connects when it is first used, for programs that must also run while Temporal is away: its calls fail
 * then, its creation does not.
 */
export function connectTemporalLazily(config: TemporalConfig): TemporalConnection {
  const { address, namespace, options } = config;
  const connection = Connection.lazy(clientOptions(options));
  const client = new Client({ connection, namespace });
  return { client, connection, address, namespace, close: () => connection.close() };
}

/** What a failed connection or call to Temporal is called. */
export function unreachable(address: string, error: unknown): UnderstudyError {
  const detail = error instanceof Error ? (error.message.split('\n')[0] ?? error.name).slice(0, 200) : 'unknown';
  return new UnderstudyError('temporal_unreachable', { address, detail }, { cause: error });
}

/** Client and worker take the same options but for how metadata are spelled. */
function clientOptions({ metadata, tls, apiKey, address }: NativeConnectionOptions) {
  return {
    ...(address !== undefined && { address }),
    ...(tls !== undefined && tls !== null && { tls }),
    ...(apiKey !== undefined && { apiKey }),
    ...(metadata !== undefined && { metadata: metadata as Record<string, string> }),
  };
}
