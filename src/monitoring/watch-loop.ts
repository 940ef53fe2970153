import { competeForLeadership, type Passes, runPasses } from '../background/index.js';
import type { Db } from '../db/index.js';
import { errorDetail } from '../errors.js';
import {
  type Cut,
  type Experiment,
  foldLiveExperiments,
  readLiveCuts,
  readLiveExperiments,
} from '../experiments/index.js';
import { type Halt, readPendingHalts } from './pending-halts.js';
import { type Judged, stopIfHarmful } from './stop-experiment.js';

export interface WatchDeps {
  db: Db;
  /** Between the end of a pass and the next one. */
  intervalMs: number;
  /** Signals a cycle. May fail, and does while Temporal is down: then it is asked again at the next pass. */
  tellCycle: (workflowId: string, halt: Halt) => Promise<void>;
  clock?: () => Date;
  logger: WatchLogger;
}

/** What the loop needs of a logger; pino's shape. */
export interface WatchLogger {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

export interface PassResult {
  /** False: another server's loop leads, and this one did nothing. */
  leader: boolean;
  judged: Judged[];
  /** Experiments whose cycles were told in this pass. */
  told: string[];
  /** Experiments that could not be judged, or whose cycles could not be told. */
  failed: string[];
}

/** A pass rejects when Postgres cannot be asked; stopping gives leadership up. */
export type WatchLoop = Passes<PassResult>;

/**
 * Watches all live experiments, on one server at a time. A pass acts on the route first and tells Temporal second, so that
 * a challenger that does harm is off traffic also while Temporal is down.
 */
export function startWatchLoop({ db, intervalMs, tellCycle, clock = () => new Date(), logger }: WatchDeps): WatchLoop {
  const leadership = competeForLeadership(db.url);
  // Temporal keeps what it accepted. This only avoids repeating a halt every ten seconds until the cycle has ended.
  const accepted = new Set<string>();
  let led = false;

  async function passOnce(): Promise<PassResult> {
    const leader = await leadership.check();
    if (leader !== led) logger.info({ leader }, leader ? 'watch loop leads' : 'watch loop follows');
    led = leader;
    const result: PassResult = { leader, judged: [], told: [], failed: [] };
    if (!leader) return result;
    const now = clock();
    const experiments = await readLiveExperiments(db);
    const cuts = await readCuts(experiments, now);
    for (const experiment of experiments) {
      try {
        const judged = await stopIfHarmful(db, experiment, now, cuts.get(experiment.id));
        result.judged.push(judged);
        if (judged.stopped !== null) logger.warn({ ...judged }, 'experiment stopped');
      } catch (error) {
        // One that cannot be judged must not keep the others from being judged.
        result.failed.push(experiment.id);
        logger.error({ experiment: experiment.id, detail: errorDetail(error) }, 'experiment not judged');
      }
    }
    await tellCycles(result);
    return result;
  }

  /** Without sums every experiment is judged by itself, from rows if need be: slower, and the same. */
  async function readCuts(experiments: readonly Experiment[], now: Date): Promise<ReadonlyMap<string, Cut>> {
    try {
      await foldLiveExperiments(db, experiments, now);
    } catch (error) {
      logger.error({ detail: errorDetail(error) }, 'outcomes not folded; again at the next pass');
    }
    try {
      return await readLiveCuts(db, experiments, now);
    } catch (error) {
      logger.error({ detail: errorDetail(error) }, 'sums of outcomes not read');
      return new Map();
    }
  }

  async function tellCycles(result: PassResult): Promise<void> {
    const pending = await readPendingHalts(db);
    const live = new Set(pending.map(({ halt }) => halt.experiment));
    for (const experiment of accepted) if (!live.has(experiment)) accepted.delete(experiment);
    // At once: while Temporal is away each takes its time to fail, and the next pass must not wait for their sum.
    await Promise.all(
      pending
        .filter(({ halt }) => !accepted.has(halt.experiment))
        .map(async ({ workflowId, halt }) => {
          try {
            await tellCycle(workflowId, halt);
            accepted.add(halt.experiment);
            result.told.push(halt.experiment);
          } catch (error) {
            result.failed.push(halt.experiment);
            logger.warn(
              { experiment: halt.experiment, workflow: workflowId, detail: errorDetail(error) },
              'cycle not told; again at the next pass',
            );
          }
        }),
    );
  }

  const passes = runPasses(passOnce, {
    everyMs: intervalMs,
    onFailure: (error) => logger.error({ detail: errorDetail(error) }, 'watch pass failed'),
  });
  return {
    pass: passes.pass,
    async stop() {
      await passes.stop();
      await leadership.resign();
    },
  };
}
