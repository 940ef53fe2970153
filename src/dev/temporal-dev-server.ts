import fs from 'node:fs';
import path from 'node:path';
import { Connection } from '@temporalio/client';
import { temporalCliPath } from '#setup/toolchain.mjs';
import { ATTRIBUTES } from '../temporal/search-attribute-names.js';
import { freePort, isListening, releasePort } from './free-port.js';
import type { Supervisor } from './supervisor.js';

// The names that the command line has for the types.
const TYPE_FLAGS: Record<string, string> = { KEYWORD: 'Keyword', DATETIME: 'Datetime', BOOL: 'Bool' };

// A shard polls its queues at most 20 times a second by default, and the development server has one shard: every step
// of a workflow would wait for a 50 ms grid.
const POLL_RATES = ['transfer', 'timer', 'visibility'].map((queue) => `history.${queue}ProcessorMaxPollRPS=1000`);
const SQLITE = ['journal_mode=WAL', 'synchronous=NORMAL'];

export interface TemporalDevServerOptions {
  logFile: string;
  /** SQLite file that keeps workflows over restarts; without it they live in memory. */
  databaseFile?: string;
  /** Preferred ports; a busy one is stepped around. Default 7233 and 8233. */
  port?: number;
  uiPort?: number;
  /** Without the web UI: for tests. Default false. */
  headless?: boolean;
  namespace?: string;
  /** Path of the `temporal` binary. Default: the one that the set-up found or brought. */
  executable?: string;
}

export interface TemporalDevServer {
  /** `host:port` for clients and workers. */
  address: string;
  namespace: string;
  /** Null when headless. */
  uiUrl: string | null;
  stop(): Promise<void>;
}

async function isUp(address: string, namespace: string): Promise<boolean> {
  const connection = await Connection.connect({ address, connectTimeout: '2s' });
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    return Object.values(ATTRIBUTES).every(({ name }) => name in (customAttributes ?? {}));
  } finally {
    await connection.close();
  }
}

function flags(options: TemporalDevServerOptions, namespace: string, port: number, uiPort: number | undefined) {
  const list = ['--ip', '127.0.0.1', '--port', String(port), '--namespace', namespace, '--log-level', 'warn'];
  if (uiPort === undefined) list.push('--headless');
  else list.push('--ui-port', String(uiPort));
  if (options.databaseFile !== undefined) {
    list.push('--db-filename', options.databaseFile, ...SQLITE.flatMap((pragma) => ['--sqlite-pragma', pragma]));
  }
  for (const rate of POLL_RATES) list.push('--dynamic-config-value', rate);
  // They must exist before the first start of a cycle, or Temporal refuses it.
  for (const { name, type } of Object.values(ATTRIBUTES))
    list.push('--search-attribute', `${name}=${TYPE_FLAGS[type]}`);
  return list;
}

/**
 * Starts `temporal server start-dev` with the search attributes of the cycles, and returns when it answers and knows
 * them.
 * @throws ChildStartError with the end of its log when it does not start
 */
export async function startTemporalDevServer(
  supervisor: Supervisor,
  options: TemporalDevServerOptions,
): Promise<TemporalDevServer> {
  const executable = options.executable ?? temporalCliPath();
  const namespace = options.namespace ?? 'default';
  if (options.databaseFile !== undefined) fs.mkdirSync(path.dirname(options.databaseFile), { recursive: true });
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort(options.port ?? 7233);
    const uiPort = options.headless ? undefined : await freePort(options.uiPort ?? 8233);
    const address = `127.0.0.1:${port}`;
    try {
      const child = await supervisor.spawn(
        'temporal',
        executable,
        ['server', 'start-dev', ...flags(options, namespace, port, uiPort)],
        { logFile: options.logFile, ready: () => isUp(address, namespace) },
      );
      const uiUrl = uiPort === undefined ? null : `http://127.0.0.1:${uiPort}`;
      return { address, namespace, uiUrl, stop: () => child.stop() };
    } catch (error) {
      // Somebody took one of the two ports between looking and listening.
      const taken = (await isListening(port)) || (uiPort !== undefined && (await isListening(uiPort)));
      if (!taken || attempt >= 5) throw error;
    } finally {
      // Started again on the same file, the server must be found under the same address.
      for (const used of [port, uiPort]) if (used !== undefined) releasePort(used);
    }
  }
}
