import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { processesMarked, sendSignal } from '#setup/processes.mjs';
import { ROOT, temporalCliPath } from '#setup/toolchain.mjs';
import { createKey } from '../../src/access/index.js';
import { createDb, type Db } from '../../src/db/index.js';
import {
  isListening,
  onFreePort,
  openSupervisor,
  type SupervisedChild,
  type Supervisor,
  startTemporalDevServer,
} from '../../src/dev/index.js';
import { createTestDatabase } from './database.js';

const run = promisify(execFile);

/** The programs a cycle runs on, as processes of their own that can be killed. Trainer and adapter server are not among them. */
export interface CycleStack {
  db: Db;
  /** Root folder of the artifact store. */
  artifacts: string;
  /** Gateway and API; stays up while worker and Temporal come and go. */
  serverUrl: string;
  /** May ingest, serve and operate. */
  key: string;
  /** What the programs are told of each other: for a command that is to join them. */
  env: Readonly<Record<string, string>>;
  worker: {
    /** How often the supervisor has replaced it. */
    readonly restarts: number;
    /** SIGKILL, as the kernel does it when memory runs out; returns when it is gone. The supervisor starts another one. */
    kill(): Promise<void>;
  };
  server: {
    /** SIGKILL; the supervisor starts another one at the same address. */
    kill(): Promise<void>;
  };
  temporal: {
    client: Client;
    /** SIGKILL; what it had written to its file stays. */
    kill(): Promise<void>;
    /** The same address and file again. */
    start(): Promise<void>;
    /** Runs `temporal …` against it. */
    cli(...args: string[]): Promise<string>;
  };
  /** What a program has logged. */
  log(name: 'worker' | 'server' | 'temporal'): string;
  /** Stops everything. Throws when a process that was started here still runs. */
  close(): Promise<void>;
}

/** What the worker's program is started with besides itself. */
export interface WorkerExtras {
  /** Options of Node, before the program. */
  nodeArgs?: string[];
  env?: Record<string, string>;
}

/** Builds what changed, starts Temporal, a worker and a server, and returns when all of them are up. */
export async function startCycleStack(extras: WorkerExtras = {}): Promise<CycleStack> {
  // Takes a lock and leaves alone what is fresh, so that test files side by side do not meet.
  await run(process.execPath, [path.join(ROOT, 'setup', 'build.mjs')]);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'understudy-faults-'));
  const at = (name: string) => path.join(folder, name);
  const supervisor = await openSupervisor({ stateDir: at('processes'), handleSignals: false });
  supervisor.defer('folder', async () => fs.rmSync(folder, { recursive: true, force: true }));
  const close = async () => {
    await supervisor.stop();
    const left = processesMarked('UNDERSTUDY_SUPERVISOR', supervisor.id);
    if (left.length > 0) throw new Error(`still running: ${left.map(({ pid }) => pid).join(', ')}`);
  };
  try {
    const database = await createTestDatabase();
    supervisor.defer('database', () => database.drop());
    const db = createDb(database.url, { max: 5 });
    supervisor.defer('connections', () => db.close());

    const temporal = await startTemporal(supervisor, at('temporal.sqlite'), at('temporal.log'));
    const env = {
      DATABASE_URL: database.url,
      TEMPORAL_ADDRESS: temporal.address,
      TEMPORAL_NAMESPACE: 'default',
      // Decides who is in which arm: the same in every run.
      UNDERSTUDY_SUBJECT_KEY: 'subject-key-of-the-fault-tests',
      UNDERSTUDY_ARTIFACTS: at('artifacts'),
      UNDERSTUDY_WATCH_INTERVAL_MS: '300',
    };
    const [worker, server] = await Promise.all([
      startWorker(supervisor, { ...env, ...extras.env }, at('worker-ready'), at('worker.log'), extras.nodeArgs),
      startServer(supervisor, env, at('server.log')),
    ]);
    const connection = await Connection.connect({ address: temporal.address });
    supervisor.defer('client', () => connection.close());
    const { key } = await createKey(db, { name: 'faults', scopes: ['ingest', 'serve', 'operate'] });
    return {
      db,
      artifacts: env.UNDERSTUDY_ARTIFACTS,
      serverUrl: server.url,
      key,
      env,
      worker: {
        get restarts() {
          return worker.restarts;
        },
        kill: () => killed(worker),
      },
      server: { kill: () => killed(server.child) },
      temporal: {
        client: new Client({ connection }),
        kill: temporal.kill,
        start: temporal.start,
        cli: async (...args) => (await run(temporalCliPath(), [...args, '--address', temporal.address])).stdout,
      },
      log: (name) => fs.readFileSync(at(`${name}.log`), 'utf8'),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function killed(child: SupervisedChild): Promise<void> {
  const ended = child.completion();
  child.signal('SIGKILL');
  await ended;
}

async function startTemporal(supervisor: Supervisor, databaseFile: string, logFile: string) {
  const options = { databaseFile, logFile, headless: true };
  // Below the ports that the system gives to clients: nobody may be given it while the server is away.
  const anyPort = 15_000 + Math.floor(Math.random() * 15_000);
  const { address } = await startTemporalDevServer(supervisor, { ...options, port: anyPort });
  const port = Number(address.split(':')[1]);
  return {
    address,
    async kill() {
      const process = supervisor.running().find(({ name }) => name === 'temporal');
      if (process === undefined || !sendSignal(-process.pid, 'SIGKILL')) throw new Error('Temporal is not running');
      while (await isListening(port)) await sleep(20);
    },
    async start() {
      const again = await startTemporalDevServer(supervisor, { ...options, port });
      if (again.address !== address) throw new Error(`Temporal came back at ${again.address}, not at ${address}`);
    },
  };
}

const program = (name: string) => path.join(ROOT, 'dist', 'src', `${name}.js`);

function startWorker(
  supervisor: Supervisor,
  env: Record<string, string>,
  readyFile: string,
  logFile: string,
  nodeArgs: string[] = [],
): Promise<SupervisedChild> {
  return supervisor.spawn('worker', process.execPath, [...nodeArgs, program('worker')], {
    logFile,
    env: { ...env, UNDERSTUDY_READY_FILE: readyFile },
    ready: async () => fs.existsSync(readyFile),
    restart: { maxPerMinute: 10 },
  });
}

function startServer(
  supervisor: Supervisor,
  env: Record<string, string>,
  logFile: string,
): Promise<{ url: string; child: SupervisedChild }> {
  return onFreePort(undefined, async (port) => {
    const url = `http://127.0.0.1:${port}`;
    const child = await supervisor.spawn('server', process.execPath, [program('server')], {
      logFile,
      env: { ...env, UNDERSTUDY_PORT: String(port) },
      ready: async () => (await fetch(`${url}/readyz`)).ok,
      restart: { maxPerMinute: 10 },
    });
    return { url, child };
  });
}
