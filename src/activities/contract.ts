/**
 * What the workflows ask for: types only, so that workflow code may import them.
 *
 * Rules for every activity: it may run twice (same result), it takes the workflow's clock as `asOf` (ISO 8601) instead of
 * reading its own, it returns ids, counts and reasons of at most 200 characters, never a text of a conversation.
 * A business outcome is a return value; broken infrastructure is thrown as an UnderstudyError of the table.
 */

import type { Collection } from '../curation/index.js';
import type { OpenedCycle } from '../cycles/index.js';
import type { FrozenDataset } from '../datasets/index.js';
import type { GateResult } from '../evaluation/index.js';
import type {
  BakeFacts,
  ExtendedExperiment,
  LookFacts,
  Promoted,
  RouteChangedByOther,
  RouteMove,
  StartedExperiment,
} from '../experiments/index.js';
import type { RegisteredVersion } from '../registry/index.js';
import type { ShadowTrial } from '../shadow/index.js';
import type { TrainedAdapter } from '../training/index.js';

export type { CyclePlan } from '../cycles/index.js';
export type {
  BakeFacts,
  GateResult,
  LookFacts,
  OpenedCycle,
  RegisteredVersion,
  RouteChangedByOther,
  RouteMove,
  ShadowTrial,
  StartedExperiment,
  TrainedAdapter,
};
export type CollectedExamples = Collection;
export type CuratedDataset = FrozenDataset;

/** A compact record of one arm for timelines: interactions with an outcome, positives. */
export interface ArmFacts {
  n: number;
  x: number;
}

export interface SubmittedTraining {
  trainingRunId: string;
  jobId: string;
}

export type CycleOutcomeName = 'promoted' | 'rejected' | 'inconclusive' | 'skipped' | 'rolled_back';

export interface Activities {
  // ── cycles: lease, phases, end ──────────────────────────────────────────────────────────────────────────────────
  /** Takes the lease and freezes the policy with `overrides`. A newer run of the same workflow id takes a dead run's lease over. */
  openCycle(input: {
    model: string;
    workflowId: string;
    runId: string;
    originalRunId: string;
    trigger: string;
    overrides: Record<string, unknown>;
    asOf: string;
  }): Promise<OpenedCycle>;
  /** Fails with `lease_lost` when another run has taken over. */
  recordPhase(input: { cycleId: string; runId: string; phase: string }): Promise<void>;
  /** Ends the cycle's row; succeeds when it has already ended. `failed` and `canceled` are recorded by the undoing scope. */
  closeCycle(input: {
    cycleId: string;
    outcome: CycleOutcomeName | 'failed' | 'canceled';
    reason: string;
    asOf: string;
  }): Promise<void>;

  // ── curation, datasets ──────────────────────────────────────────────────────────────────────────────────────────
  collect(input: { cycleId: string; asOf: string }): Promise<CollectedExamples>;
  /** Curates, redacts, splits, freezes to the artifact store. */
  curate(input: { cycleId: string; datasetId: string; asOf: string }): Promise<CuratedDataset>;
  orphanDataset(input: { datasetId: string }): Promise<void>;

  // ── training (submit, cancel: queue `understudy`; follow: queue `understudy-training`, heartbeats) ──────────────────
  submitTraining(input: { cycleId: string; datasetId: string; key: string; asOf: string }): Promise<SubmittedTraining>;
  /** Polls the job to its end with heartbeats; cancellation only stops following. `deadline` is absolute. */
  followTraining(input: { trainingRunId: string; deadline: string }): Promise<TrainedAdapter>;
  /** Cancels the job at the trainer and follows it to its end; succeeds when there is nothing to cancel. Finds a job by its key too. */
  cancelTraining(input: { key: string }): Promise<void>;

  // ── registry, serving, evaluation ───────────────────────────────────────────────────────────────────────────────
  registerVersion(input: { cycleId: string; trainingRunId: string }): Promise<RegisteredVersion>;
  /** Makes a version that exists the candidate of the cycle. */
  adoptVersion(input: { cycleId: string; version: number }): Promise<RegisteredVersion>;
  /** Sets the stored state; a version that is in the route is refused. */
  retireVersion(input: { model: string; version: number; state: 'archived' | 'rejected'; asOf: string }): Promise<void>;
  /** Digest check, load on every replica, `/v1/models` and one smoke prompt on each. */
  loadVersion(input: { model: string; version: number }): Promise<void>;
  /** Unloads from every replica unless the route uses the version. */
  unloadVersion(input: { model: string; version: number }): Promise<{ unloaded: boolean }>;
  evaluate(input: { cycleId: string; champion: number; candidate: number; asOf: string }): Promise<GateResult>;

  // ── shadow ──────────────────────────────────────────────────────────────────────────────────────────────────────
  /** Lets the candidate answer copies for as long as the policy says. */
  shadowCandidate(input: { cycleId: string; version: number; asOf: string }): Promise<{ until: string }>;
  /** How it did with the copies since then; it is asked no more. */
  judgeShadow(input: { cycleId: string; version: number; since: string; asOf: string }): Promise<ShadowTrial>;
  /** Undo of `shadowCandidate`; a shadow that somebody else started stays. */
  endShadow(input: { cycleId: string }): Promise<void>;

  // ── experiments, routing ────────────────────────────────────────────────────────────────────────────────────────
  /** Experiment row and route change in one transaction; the challenger arm gets `share`. */
  startExperiment(input: {
    cycleId: string;
    candidate: number;
    expectedEpoch: number;
    asOf: string;
  }): Promise<StartedExperiment>;
  takeLook(input: { experimentId: string; k: number; asOf: string; isLast: boolean }): Promise<LookFacts>;
  /** Puts off the last look; nothing else of the rule changes. The same request id again answers the same. */
  extendExperiment(input: {
    experimentId: string;
    byMs: number;
    actor: string;
    reason: string;
    requestId: string;
    asOf: string;
  }): Promise<ExtendedExperiment>;
  /** Ends experiment and split; champion stays. Succeeds when the route already left it. */
  endExperiment(input: {
    experimentId: string;
    decision: string;
    reason: string;
    actor: string;
    requestId?: string;
    asOf: string;
  }): Promise<RouteMove>;
  /** Candidate becomes champion, old champion becomes previous and holdback of a new experiment of kind `bake`. */
  promote(input: {
    experimentId: string;
    expectedEpoch: number;
    actor: string;
    reason: string;
    forced: boolean;
    /** In a freeze window, too; the route change says so. */
    despiteFreeze?: boolean;
    requestId?: string;
    asOf: string;
  }): Promise<Promoted>;
  /** One look at the bake: champion against holdback. */
  checkBake(input: { experimentId: string; asOf: string }): Promise<BakeFacts>;
  /** The bake went well: the holdback ends, the new champion has all traffic. */
  endBake(input: { experimentId: string; asOf: string }): Promise<RouteMove>;
  /** Undo of anything the cycle did to the route: when the route still serves `experimentId`, back to the champion from before; else leaves it alone. */
  undoRoute(input: { cycleId: string; actor: string; reason: string; requestId?: string; asOf: string }): Promise<{
    undone: boolean;
    /** Who moved the route off the cycle's experiment, when it was somebody else: their route is left alone. */
    changedBy?: string;
  }>;

  // ── rollback workflow ───────────────────────────────────────────────────────────────────────────────────────────
  /** Loads `toVersion` (default: previous) where needed, then moves the route; ends a live experiment. */
  planRollback(input: {
    model: string;
    toVersion?: number;
  }): Promise<{ model: string; toVersion: number; fromVersion: number; epoch: number }>;
  rollbackRoute(input: {
    model: string;
    toVersion: number;
    actor: string;
    reason: string;
    requestId: string;
    asOf: string;
  }): Promise<{
    epoch: number;
    fromVersion: number;
    toVersion: number;
    cycleWorkflowId: string | null;
    /** Candidate of that live cycle, whom the signal to it is about; without it `fromVersion` is meant. */
    candidate?: number | null;
  }>;
}
