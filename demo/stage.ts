import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { cacheDir } from '#setup/toolchain.mjs';
import { createKey } from '../src/access/index.js';
import { readCliConfig } from '../src/config.js';
import { createDb, type Db } from '../src/db/index.js';
import {
  buildBaseModel,
  openSupervisor,
  type Stack,
  type Supervisor,
  startAdapterServer,
  startStack,
} from '../src/dev/index.js';
import { connectTemporal, type TemporalConnection } from '../src/temporal/index.js';
import { createOwnDatabase } from './own-database.js';
import type { Question } from './questions.js';
import type { QuestionSplit } from './split.js';

/** Folders of runs are called this, their process id, and something random. */
const FOLDER = 'understudy-demo-';

/** Everything a demo run plays on: all processes up, the base model served. */
export interface Stage {
  supervisor: Supervisor;
  stack: Stack;
  adapterServerUrl: string;
  /** Folder of the base model. */
  base: string;
  goldenSet: string;
  db: Db;
  temporal: TemporalConnection;
  /** File with the variables that the CLI needs to look at this run; gone after `close`. */
  environment: string;
  /** Copies the logs of all processes to where they outlive the run, and says where. */
  keepLogs(): string;
  close(): Promise<void>;
}

/**
 * Starts everything in a folder of its own, with nothing left from earlier runs but the base model, which is built once
 * per questions and seed and kept in the cache.
 */
export async function setStage(split: QuestionSplit, seed: number, say: (line: string) => void): Promise<Stage> {
  const folder = mkdtempSync(path.join(os.tmpdir(), `${FOLDER}${process.pid}-`));
  // Started by root, Postgres runs as a user of its own, who has to pass through.
  chmodSync(folder, 0o711);
  const supervisor = await openSupervisor({
    stateDir: path.join(cacheDir(), 'demo-processes'),
    onEvent: (event) => {
      if (event.type === 'leftovers_ended') say(`Ended what an earlier run left behind: ${event.names.join(', ')}.`);
      if (event.type === 'started' && event.restarts > 0) say(`${event.name} died and was started again.`);
      if (event.type === 'lost') say(`${event.name} ended: ${event.reason}.`);
    },
  });
  const keepLogs = () => {
    const kept = path.join(cacheDir(), 'demo-logs');
    rmSync(kept, { recursive: true, force: true });
    if (existsSync(path.join(folder, 'logs'))) cpSync(path.join(folder, 'logs'), kept, { recursive: true });
    return kept;
  };
  removeAbandoned();
  supervisor.defer('folder', async () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  try {
    const serverUrl = readCliConfig().databaseUrlIfSet;
    const own = serverUrl === undefined ? undefined : await createOwnDatabase(serverUrl);
    if (own) supervisor.defer('own database', () => own.drop());
    // Customers are hashed under a key of the seed, so that a seed also decides who meets which arm.
    const subjectKey = createHash('sha256').update(`understudy demo ${seed}`).digest('hex');
    const bases = path.join(cacheDir(), 'bases');
    const [stack, base] = await Promise.all([
      startStack(supervisor, {
        dataDir: folder,
        subjectKey,
        ...(own && { databaseUrl: own.url }),
        watchIntervalMs: 1_000,
        trainerPaths: [bases],
        onProgress: say,
      }),
      buildBase(supervisor, split.base, seed, { bases, folder, say }),
    ]);
    const golden = path.join(stack.artifactsDir, 'golden');
    mkdirSync(golden, { recursive: true });
    writeFileSync(path.join(golden, 'support-desk.jsonl'), jsonLines(split.golden));
    const adapters = await startAdapterServer(supervisor, {
      base,
      logFile: path.join(stack.logDir, 'adapter-server.log'),
      artifactsDir: stack.artifactsDir,
      allowPaths: [bases],
    });
    say(`Adapter server  ${adapters.url}`);
    const environment = path.join(folder, 'demo.env');
    const lines = Object.entries(stack.env).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(environment, lines.join(''), { mode: 0o600 });
    const db = createDb(stack.databaseUrl, { max: 4 });
    supervisor.defer('database', () => db.close());
    const temporal = await connectTemporal({
      address: stack.temporalAddress,
      namespace: stack.temporalNamespace,
      options: { address: stack.temporalAddress },
    });
    supervisor.defer('temporal client', () => temporal.close());
    return {
      supervisor,
      stack,
      adapterServerUrl: adapters.url,
      base,
      goldenSet: 'golden/support-desk.jsonl',
      db,
      temporal,
      environment,
      keepLogs,
      close: () => supervisor.stop(),
    };
  } catch (error) {
    say(`Could not start. The logs are in ${keepLogs()}.`);
    await supervisor.stop();
    throw error;
  }
}

/** Runs that were killed could not remove their folders; their processes are gone by now. */
function removeAbandoned(): void {
  for (const name of readdirSync(os.tmpdir()).filter((entry) => entry.startsWith(FOLDER))) {
    const pid = Number(name.slice(FOLDER.length).split('-')[0]);
    if (!isAlive(pid)) rmSync(path.join(os.tmpdir(), name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** A key with which customers ask and rate. */
export async function customersKey(db: Db, model: string): Promise<string> {
  return (await createKey(db, { name: 'demo customers', scopes: ['serve', 'ingest'], model })).key;
}

async function buildBase(
  supervisor: Supervisor,
  questions: readonly Question[],
  seed: number,
  { bases, folder, say }: { bases: string; folder: string; say: (line: string) => void },
): Promise<string> {
  const startedAt = performance.now();
  const lines = jsonLines(questions);
  const base = path.join(bases, createHash('sha256').update(`${seed}\n${lines}`).digest('hex').slice(0, 32));
  const dataFile = path.join(folder, 'base.jsonl');
  writeFileSync(dataFile, lines);
  mkdirSync(bases, { recursive: true });
  await buildBaseModel(supervisor, {
    dataFile,
    outDir: base,
    seed,
    logFile: path.join(folder, 'logs', 'build-base.log'),
  });
  say(`Base model      ${questions.length} questions, ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
  return base;
}

function jsonLines(questions: readonly Question[]): string {
  return questions
    .map(({ text, intent }) => {
      const messages = [
        { role: 'user', content: text },
        { role: 'assistant', content: intent },
      ];
      return `${JSON.stringify({ messages })}\n`;
    })
    .join('');
}
