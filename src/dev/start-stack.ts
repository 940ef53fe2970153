import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { ROOT } from '#setup/toolchain.mjs';
import { migrate } from '../db/index.js';
import { startEmbeddedPostgres } from './embedded-postgres.js';
import { onFreePort } from './free-port.js';
import { startReferenceTrainer } from './reference-trainer.js';
import { SERVER_FLAGS } from './server-flags.js';
import type { Supervisor } from './supervisor.js';
import { startTemporalDevServer } from './temporal-dev-server.js';

export interface StackOptions {
  /** Holds everything: database, histories, artifacts, logs. Given again, everything is found again. */
  dataDir: string;
  /** Use this Postgres instead of an embedded one. */
  databaseUrl?: string;
  /** Key of the subjects' HMAC; default: made up once and kept in the data folder. */
  subjectKey?: string;
  artifactsDir?: string;
  /** Preferred port of gateway and API; a busy one is stepped around. */
  port?: number;
  watchIntervalMs?: number;
  /** Folders outside the artifact store from which the trainer may take base models. */
  trainerPaths?: readonly string[];
  /** One line for each part that is up. */
  onProgress?: (line: string) => void;
}

export interface Stack {
  databaseUrl: string;
  temporalAddress: string;
  temporalNamespace: string;
  temporalUiUrl: string;
  /** Gateway and API. */
  serverUrl: string;
  trainerUrl: string;
  artifactsDir: string;
  subjectKey: string;
  logDir: string;
  /** What the processes of the stack read; also what the CLI needs. */
  env: Record<string, string>;
}

/**
 * Starts Postgres, Temporal with its UI, the fine-tuning service, worker and server as children of `supervisor`, which
 * also stops them. Worker, server and trainer are replaced when they die. The adapter server is not part of it: it
 * needs a base model.
 */
export async function startStack(supervisor: Supervisor, options: StackOptions): Promise<Stack> {
  const dir = (name: string) => path.join(options.dataDir, name);
  const logDir = dir('logs');
  const log = (name: string) => path.join(logDir, `${name}.log`);
  const artifactsDir = options.artifactsDir ?? dir('artifacts');
  const say = options.onProgress ?? (() => {});
  fs.mkdirSync(logDir, { recursive: true });
  fs.mkdirSync(artifactsDir, { recursive: true });
  const subjectKey = options.subjectKey ?? keptSecret(dir('subject-key'));

  const database = async () => {
    const url =
      options.databaseUrl ??
      (await startEmbeddedPostgres(supervisor, { dataDir: dir('postgres'), logFile: log('postgres'), port: 5433 })).url;
    await migrate(url);
    say(`Postgres        ${withoutPassword(url)}`);
    return url;
  };
  const temporal = async () => {
    const server = await startTemporalDevServer(supervisor, {
      logFile: log('temporal'),
      databaseFile: dir('temporal.sqlite'),
    });
    say(`Temporal        ${server.address}, UI ${server.uiUrl}`);
    return server;
  };
  const trainer = async () => {
    const service = await startReferenceTrainer(supervisor, {
      stateDir: dir('trainer'),
      logFile: log('trainer'),
      artifactsDir,
      ...(options.trainerPaths ? { allowPaths: options.trainerPaths } : {}),
    });
    say(`Trainer         ${service.url}`);
    return service;
  };
  const [databaseUrl, temporalServer, trainerService] = await Promise.all([database(), temporal(), trainer()]);

  const env: Record<string, string> = {
    DATABASE_URL: databaseUrl,
    TEMPORAL_ADDRESS: temporalServer.address,
    TEMPORAL_NAMESPACE: temporalServer.namespace,
    UNDERSTUDY_SUBJECT_KEY: subjectKey,
    UNDERSTUDY_ARTIFACTS: artifactsDir,
    UNDERSTUDY_SPOOL: dir('spool'),
    UNDERSTUDY_STATE: dir('state'),
    UNDERSTUDY_HOST: '127.0.0.1',
    ...(options.watchIntervalMs ? { UNDERSTUDY_WATCH_INTERVAL_MS: String(options.watchIntervalMs) } : {}),
  };
  const program = (name: string) => path.join(ROOT, 'dist', 'src', `${name}.js`);
  const server = () =>
    onFreePort(options.port ?? 8080, async (port) => {
      const url = `http://127.0.0.1:${port}`;
      const args = [...SERVER_FLAGS, '--enable-source-maps', program('server')];
      await supervisor.spawn('server', process.execPath, args, {
        logFile: log('server'),
        env: { ...env, UNDERSTUDY_PORT: String(port) },
        ready: () => answersOk(`${url}/readyz`),
        restart: { maxPerMinute: 10 },
        stopTimeoutMs: 10_000,
      });
      say(`Server          ${url}`);
      return url;
    });
  const worker = async () => {
    const readyFile = dir('worker-ready');
    fs.rmSync(readyFile, { force: true });
    await supervisor.spawn('worker', process.execPath, ['--enable-source-maps', program('worker')], {
      logFile: log('worker'),
      env: { ...env, UNDERSTUDY_READY_FILE: readyFile },
      ready: async () => fs.existsSync(readyFile),
      restart: { maxPerMinute: 10 },
      stopTimeoutMs: 15_000,
    });
    say('Worker          polling "understudy" and "understudy-training"');
  };
  const [serverUrl] = await Promise.all([server(), worker()]);

  return {
    databaseUrl,
    temporalAddress: temporalServer.address,
    temporalNamespace: temporalServer.namespace,
    temporalUiUrl: temporalServer.uiUrl ?? '',
    serverUrl,
    trainerUrl: trainerService.url,
    artifactsDir,
    subjectKey,
    logDir,
    env,
  };
}

async function answersOk(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  await response.body?.cancel();
  return response.ok;
}

/** A secret made up once; the file is readable by its owner only. */
function keptSecret(file: string): string {
  if (!fs.existsSync(file)) fs.writeFileSync(file, randomBytes(32).toString('hex'), { mode: 0o600, flag: 'wx' });
  return fs.readFileSync(file, 'utf8').trim();
}

function withoutPassword(url: string): string {
  const shown = new URL(url);
  shown.password = '';
  return shown.toString();
}
