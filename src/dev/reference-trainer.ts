import { trainerDir, trainerPython } from '#setup/toolchain.mjs';
import { onFreePort } from './free-port.js';
import { ChildStartError, logTail } from './supervised-child.js';
import type { Supervisor } from './supervisor.js';

const MODULE = ['-m', 'understudy_trainer'];

interface ServiceOptions {
  logFile: string;
  /** Preferred port; a busy one is stepped around. */
  port?: number;
  /** The artifact store's root folder, shared with the worker. */
  artifactsDir: string;
  /** Folders outside the artifact store from which base models may be taken. */
  allowPaths?: readonly string[];
  env?: Readonly<Record<string, string>>;
}

export interface ReferenceTrainerOptions extends ServiceOptions {
  /** Files and jobs are kept here over restarts. */
  stateDir: string;
}

export interface AdapterServerOptions extends ServiceOptions {
  /** Model id, or the folder of a base model. */
  base: string;
  /** Name under which the base answers. Default `base`. */
  baseName?: string;
}

export interface ReferenceTrainer {
  /** Without a path: `http://127.0.0.1:8900`. */
  url: string;
  port: number;
  pid(): number | undefined;
  stop(): Promise<void>;
}

function environment(extra: Readonly<Record<string, string>> | undefined): Record<string, string> {
  return { PYTHONPATH: trainerDir(), PYTHONUNBUFFERED: '1', TOKENIZERS_PARALLELISM: 'false', ...extra };
}

async function isHealthy(url: string): Promise<boolean> {
  const response = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(2000) });
  await response.body?.cancel();
  return response.ok;
}

async function startService(
  supervisor: Supervisor,
  name: string,
  args: string[],
  options: ServiceOptions & { port: number },
): Promise<ReferenceTrainer> {
  return onFreePort(options.port, async (port) => {
    const url = `http://127.0.0.1:${port}`;
    const allow = (options.allowPaths ?? []).flatMap((folder) => ['--allow-path', folder]);
    const child = await supervisor.spawn(
      name,
      trainerPython(),
      [
        ...MODULE,
        ...args,
        '--host',
        '127.0.0.1',
        '--port',
        String(port),
        '--artifacts',
        options.artifactsDir,
        '--exit-with-parent',
        ...allow,
      ],
      {
        logFile: options.logFile,
        env: environment(options.env),
        // Importing torch takes many seconds on a cold disk.
        readyTimeoutMs: 180_000,
        readyIntervalMs: 100,
        ready: () => isHealthy(url),
        // Both keep their state outside the process, so a crash costs a restart.
        restart: { maxPerMinute: 5 },
      },
    );
    return { url, port, pid: () => child.pid, stop: () => child.stop() };
  });
}

/** Starts the fine-tuning service (`python -m understudy_trainer train`). Default port 8900. */
export function startReferenceTrainer(
  supervisor: Supervisor,
  options: ReferenceTrainerOptions,
): Promise<ReferenceTrainer> {
  const args = ['train', '--state', options.stateDir];
  return startService(supervisor, 'trainer', args, { ...options, port: options.port ?? 8900 });
}

/** Starts the adapter server (`python -m understudy_trainer serve`). Default port 8901. */
export function startAdapterServer(supervisor: Supervisor, options: AdapterServerOptions): Promise<ReferenceTrainer> {
  const args = ['serve', '--base', options.base, '--base-name', options.baseName ?? 'base'];
  return startService(supervisor, 'adapter-server', args, { ...options, port: options.port ?? 8901 });
}

export interface BaseModelOptions {
  /** Training data, as the trainer reads it. */
  dataFile: string;
  /** Folder of the finished model. */
  outDir: string;
  seed: number;
  logFile: string;
  env?: Readonly<Record<string, string>>;
}

/**
 * Builds the demo's small base model from scratch (`python -m understudy_trainer build-base`) and returns when it is
 * done; it ends with the supervisor.
 * @throws ChildStartError with the end of the log when it fails
 */
export async function buildBaseModel(supervisor: Supervisor, options: BaseModelOptions): Promise<void> {
  const args = ['build-base', '--data', options.dataFile, '--out', options.outDir, '--seed', String(options.seed)];
  const child = await supervisor.spawn('build-base', trainerPython(), [...MODULE, ...args], {
    logFile: options.logFile,
    env: environment(options.env),
    oneShot: true,
  });
  const { code, signal } = await child.completion();
  if (code !== 0) {
    throw new ChildStartError(
      `building the base model ended with ${signal ?? `code ${code}`}.\n${logTail(options.logFile)}`,
    );
  }
}
