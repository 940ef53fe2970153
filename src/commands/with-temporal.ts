import type { Client } from '@temporalio/client';
import { environment } from '../config.js';
import { connectTemporal, readTemporalConfig } from '../temporal/index.js';

/** Connects to Temporal for one command and closes the connection again; throws `temporal_unreachable`. */
export async function withTemporal<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const temporal = await connectTemporal(readTemporalConfig(environment()), 5_000);
  try {
    return await work(temporal.client);
  } finally {
    await temporal.close();
  }
}
