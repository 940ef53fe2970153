import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { onFreePort } from '../../src/dev/index.js';
import {
  type BenchContext,
  type BenchDatabase,
  type BenchPostgres,
  benchKey,
  type Peer,
  type ProcessGroup,
  startServer,
} from '../harness/index.js';
import { MODEL } from './bodies.js';
import { startProgram } from './program.js';
import { applySplitModel, SHARE } from './split-model.js';

/** A gateway that runs, before one of two upstream ports. */
export interface Contestant {
  port: number;
  /** What its requests carry. */
  headers: Record<string, string>;
  /** Its processes. */
  pids: ProcessGroup;
  /** Given how many requests were answered: resolves when what they leave behind is stored. */
  settled?(requests: number): Promise<void>;
  stop(): Promise<void>;
}

/** Ours, whose process may be killed. */
export interface OwnContestant extends Contestant {
  /** `http://host:port`. */
  url: string;
  database: BenchDatabase;
}

export interface Upstream {
  champion: number;
  challenger: number;
}

const SETTLED_MS = 120_000;
/** It refuses to start without a key that its clients show, as ours refuses clients without one. */
const KEY = `sk-${randomBytes(24).toString('hex')}`;

/** Ours as it is deployed: an experiment running, every interaction captured in a Postgres that flushes to disk. */
export async function startOurs(
  context: BenchContext,
  postgres: BenchPostgres,
  upstream: Upstream,
  env: Readonly<Record<string, string>> = {},
): Promise<OwnContestant> {
  const database = await postgres.freshDatabase();
  await applySplitModel(database.db, `http://127.0.0.1:${upstream.champion}`);
  const key = await benchKey(database.db, 'serve');
  const server = await startServer(context, { databaseUrl: database.url, env });
  return {
    url: server.url,
    database,
    port: server.port,
    headers: { authorization: `Bearer ${key}` },
    pids: [server.pid()],
    settled: (requests) => stored(database, requests),
    async stop() {
      await server.stop();
      await database.drop();
    },
  };
}

/** Waits until as many interactions are stored as requests were answered; more or fewer in the end is an error. */
export async function stored({ db }: BenchDatabase, requests: number): Promise<void> {
  const deadline = performance.now() + SETTLED_MS;
  for (;;) {
    const { rows } = await db.pool.query<{ n: string }>('SELECT count(*) AS n FROM interactions');
    const found = Number(rows[0]!.n);
    if (found === requests) return;
    if (found > requests || performance.now() > deadline)
      throw new Error(`${requests} requests were answered, ${found} interactions are stored`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export async function startBareProxy(context: BenchContext, upstream: Upstream): Promise<Contestant> {
  const proxy = startProgram<object, { port: number }>(context, 'bare-proxy', { ...upstream, share: SHARE });
  const { port } = await proxy.next();
  return { port, headers: {}, pids: [proxy.pid], stop: proxy.stop };
}

export async function startPortkey(context: BenchContext, { folder }: Peer, upstream: Upstream): Promise<Contestant> {
  const program = path.join(folder, 'node_modules', '@portkey-ai', 'gateway', 'build', 'start-server.js');
  return onFreePort(undefined, async (port) => {
    const child = await context.supervisor.spawn(
      'portkey',
      process.execPath,
      [program, `--port=${port}`, '--headless'],
      {
        logFile: path.join(context.folder, 'logs', 'portkey.log'),
        env: { NODE_ENV: 'production' },
        ready: () => answers(port),
      },
    );
    return {
      port,
      headers: {
        authorization: 'Bearer bench',
        'x-portkey-provider': 'openai',
        'x-portkey-custom-host': `http://127.0.0.1:${upstream.champion}/v1`,
      },
      pids: [child.pid],
      stop: () => child.stop(),
    };
  });
}

export async function startLitellm(context: BenchContext, { folder }: Peer, upstream: Upstream): Promise<Contestant> {
  const config = path.join(context.folder, 'litellm.json');
  const route = { model: 'openai/base', api_base: `http://127.0.0.1:${upstream.champion}/v1`, api_key: 'bench' };
  // JSON is YAML.
  writeFileSync(config, JSON.stringify({ model_list: [{ model_name: MODEL, litellm_params: route }] }));
  const args = ['--config', config, '--host', '127.0.0.1', '--num_workers', '1', '--telemetry', 'False'];
  return onFreePort(undefined, async (port) => {
    const program = path.join(folder, 'venv', 'bin', 'litellm');
    const child = await context.supervisor.spawn('litellm', program, [...args, '--port', String(port)], {
      logFile: path.join(context.folder, 'logs', 'litellm.log'),
      env: { LITELLM_MASTER_KEY: KEY, LITELLM_LOG: 'ERROR', LITELLM_LOCAL_MODEL_COST_MAP: 'True', NO_DOCS: 'True' },
      ready: () => answers(port),
      readyTimeoutMs: 180_000,
    });
    return { port, headers: { authorization: `Bearer ${KEY}` }, pids: [child.pid], stop: () => child.stop() };
  });
}

async function answers(port: number): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(2_000) });
  await response.body?.cancel();
  return true;
}
