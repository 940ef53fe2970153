import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '#setup/toolchain.mjs';
import { onFreePort, SERVER_FLAGS } from '../../src/dev/index.js';
import type { BenchContext } from './bench.js';

/** Our server as it is deployed: `dist/src/server.js`, a process of its own. */
export interface BenchServer {
  url: string;
  port: number;
  pid(): number | undefined;
  /** In good order: what was captured is written. */
  stop(): Promise<void>;
}

let started = 0;

/**
 * Starts the server on a database and waits until it is ready. No Temporal: the server does not need it to serve.
 *
 * @param options.env over the variables that every bench needs
 */
export async function startServer(
  context: BenchContext,
  options: { databaseUrl: string; env?: Readonly<Record<string, string>> },
): Promise<BenchServer> {
  const { supervisor, folder, profileDir } = context;
  started += 1;
  const name = `server-${started}`;
  const at = (...parts: string[]) => path.join(folder, name, ...parts);
  mkdirSync(at(), { recursive: true });
  const profile = profileDir === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profileDir];
  return onFreePort(undefined, async (port) => {
    const url = `http://127.0.0.1:${port}`;
    const child = await supervisor.spawn(
      name,
      process.execPath,
      [...profile, ...SERVER_FLAGS, '--enable-source-maps', path.join(ROOT, 'dist', 'src', 'server.js')],
      {
        logFile: path.join(folder, 'logs', `${name}.log`),
        env: {
          DATABASE_URL: options.databaseUrl,
          UNDERSTUDY_SUBJECT_KEY: 'the subject key of the benches',
          UNDERSTUDY_ARTIFACTS: at('artifacts'),
          UNDERSTUDY_SPOOL: at('spool'),
          UNDERSTUDY_HOST: '127.0.0.1',
          UNDERSTUDY_PORT: String(port),
          UNDERSTUDY_LOG_LEVEL: 'info',
          // Nothing listens there.
          TEMPORAL_ADDRESS: '127.0.0.1:1',
          ...options.env,
        },
        ready: async () => {
          const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) });
          await response.body?.cancel();
          return response.ok;
        },
        stopTimeoutMs: 30_000,
      },
    );
    return { url, port, pid: () => child.pid, stop: () => child.stop() };
  });
}
