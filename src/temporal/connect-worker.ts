import { NativeConnection } from '@temporalio/worker';
import { type TemporalConfig, unreachable } from './connect.js';

/**
 * Connects as a worker. Close it after the workers have stopped.
 * @throws UnderstudyError temporal_unreachable
 */
export async function connectWorker(config: TemporalConfig): Promise<NativeConnection> {
  try {
    return await NativeConnection.connect(config.options);
  } catch (error) {
    throw unreachable(config.address, error);
  }
}
