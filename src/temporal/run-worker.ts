import { fileURLToPath } from 'node:url';
import {
  DefaultLogger,
  type LogEntry,
  type NativeConnection,
  Runtime,
  Worker,
  type WorkflowBundleOption,
} from '@temporalio/worker';
import type { Activities } from '../activities/contract.js';
import { heartbeatWhileRunning } from './heartbeat.js';
import { TASK_QUEUE, TRAINING_TASK_QUEUE } from './task-queues.js';

/** Anything with pino's four methods. */
export interface WorkerLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface CreateWorkerOptions {
  connection: NativeConnection;
  namespace: string;
  activities: Activities;
  /** Made beforehand with `bundleWorkflowCode`; without it, the workflows beside this file are bundled now (seconds). */
  workflowBundle?: WorkflowBundleOption;
  /** How long running activities may go on after `shutdown`, e.g. `10s`; then they are cancelled and tried elsewhere. */
  shutdownGraceTime?: '10s' | '1s';
  /** Leaves everything as it was after each task, for tests that stop a worker in the middle. */
  maxCachedWorkflows?: number;
}

export interface UnderstudyWorker {
  /** Polls both queues until `shutdown`, and returns when everything has stopped. Throws when a worker breaks. */
  run(): Promise<void>;
  /** Stops polling; running activities have the grace time. May be called twice. */
  shutdown(): void;
}

/** Path of the workflows, for bundling. */
export function workflowsPath(): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return fileURLToPath(new URL(`../workflows/index.${extension}`, import.meta.url));
}

/**
 * The SDK logs through this logger, and leaves SIGINT and SIGTERM to the program. Once a process, before anything else of
 * the worker.
 */
export function installTemporalLogger(logger: WorkerLogger): void {
  const write = ({ level, message, meta }: LogEntry) => {
    const fields = Object.fromEntries(Object.entries(meta ?? {}).filter(([, value]) => typeof value !== 'symbol'));
    if (level === 'ERROR') logger.error(fields, message);
    else if (level === 'WARN') logger.warn(fields, message);
    else if (level === 'INFO') logger.info(fields, message);
    else logger.debug(fields, message);
  };
  Runtime.install({ logger: new DefaultLogger('INFO', write), shutdownSignals: [] });
}

/**
 * The two workers of one process: workflows and short activities on `understudy`, following training jobs on
 * `understudy-training`, so that jobs that last for hours never take the place of a step that moves the route.
 */
export async function createWorker(options: CreateWorkerOptions): Promise<UnderstudyWorker> {
  const { connection, namespace, activities, maxCachedWorkflows } = options;
  const { followTraining, ...others } = activities;
  const common = {
    connection,
    namespace,
    shutdownGraceTime: options.shutdownGraceTime ?? '10s',
    // A cancellation comes with the answer to a heartbeat: within seconds, not after most of the heartbeat timeout.
    maxHeartbeatThrottleInterval: '2s',
  } as const;
  const main = await Worker.create({
    ...common,
    taskQueue: TASK_QUEUE,
    ...(options.workflowBundle === undefined
      ? { workflowsPath: workflowsPath() }
      : { workflowBundle: options.workflowBundle }),
    activities: others,
    interceptors: { activity: [(context) => ({ inbound: heartbeatWhileRunning(context) })] },
    // Most activities wait for Postgres or for another server: a few at once keep its pool from being emptied.
    maxConcurrentActivityTaskExecutions: 20,
    ...(maxCachedWorkflows !== undefined && { maxCachedWorkflows }),
  });
  const training = await Worker.create({
    ...common,
    taskQueue: TRAINING_TASK_QUEUE,
    activities: { followTraining },
    // One poll every few seconds each: cheap, and there may be as many cycles as models.
    maxConcurrentActivityTaskExecutions: 200,
  });
  const workers = [main, training];
  const shutdown = () => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  return {
    shutdown,
    async run() {
      try {
        // When one breaks, the other one must not go on as if nothing had happened.
        await Promise.all(workers.map((worker) => worker.run()));
      } catch (error) {
        shutdown();
        throw error;
      }
    },
  };
}
