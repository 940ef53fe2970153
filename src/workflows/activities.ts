/**
 * Every call out of a workflow, with its timeouts and retries, and why.
 *
 * Attempts are bounded everywhere, so that trouble that lasts becomes visible: cheap steps end the cycle, expensive ones
 * park it, undo steps ask for an operator. No timeout covers the time in a queue: while no worker runs, a cycle waits.
 *
 * Cancellation waits for the step to end (`WAIT_CANCELLATION_COMPLETED`): a step that still went on while its undo step
 * looks at the world would leave behind what nobody undoes.
 *
 * Workers heartbeat on behalf of every activity, so a killed worker is noticed within HEARTBEAT whatever the step may take.
 */
import { ActivityCancellationType, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/contract.js';
import { TASK_QUEUE, TRAINING_TASK_QUEUE } from '../temporal/task-queues.js';

const HEARTBEAT = '30s' as const;

/** 1 s, 2 s, 4 s … 30 s: twelve attempts are about four minutes, longer than a restart of Postgres or a trainer takes. */
const PATIENT = { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s', maximumAttempts: 12 } as const;

/** About twenty minutes: what leaves something behind when it is given up is tried for longer. */
const STUBBORN = { ...PATIENT, maximumInterval: '1m', maximumAttempts: 25 } as const;

const common = {
  taskQueue: TASK_QUEUE,
  heartbeatTimeout: HEARTBEAT,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
};

/** A few statements on Postgres. Two minutes leave room for a lock or a fail-over. */
export const {
  openCycle,
  adoptVersion,
  shadowCandidate,
  startExperiment,
  extendExperiment,
  promote,
  endExperiment,
  endBake,
  planRollback,
  rollbackRoute,
} = proxyActivities<Activities>({ ...common, startToCloseTimeout: '2m', retry: PATIENT });

/** Sums over all interactions of an experiment: slower with its size, and repeated at the next look anyway. */
export const { takeLook, checkBake, judgeShadow } = proxyActivities<Activities>({
  ...common,
  startToCloseTimeout: '15m',
  retry: PATIENT,
});

/** Reads and cleans up to a month of interactions. Redone from the start by a retry, hence few attempts. */
export const { collect, curate } = proxyActivities<Activities>({
  ...common,
  startToCloseTimeout: '1h',
  retry: { ...PATIENT, maximumAttempts: 6 },
});

/** Uploads two files and makes a job; a retry finds the job by its key. */
export const { submitTraining, registerVersion } = proxyActivities<Activities>({
  ...common,
  startToCloseTimeout: '15m',
  retry: PATIENT,
});

/** Digest of the adapter, load on each replica, a smoke prompt on each: a large adapter on a busy server takes minutes. */
export const { loadVersion } = proxyActivities<Activities>({ ...common, startToCloseTimeout: '15m', retry: PATIENT });

/** Asks champion and candidate the whole golden set. */
export const { evaluate } = proxyActivities<Activities>({ ...common, startToCloseTimeout: '4h', retry: PATIENT });

/** What undoes, retires and ends: tried for long, because what it would leave behind is outside. */
export const { orphanDataset, retireVersion, unloadVersion, endShadow, undoRoute, closeCycle } =
  proxyActivities<Activities>({
    ...common,
    startToCloseTimeout: '5m',
    retry: STUBBORN,
  });

/** Cancels a job and follows it to its end: a trainer that is between two checkpoints may take its time. */
export const { cancelTraining } = proxyActivities<Activities>({
  ...common,
  startToCloseTimeout: '30m',
  retry: STUBBORN,
});

/**
 * Follows a job on a queue of its own, for as long as the policy allows it to take and a quarter of an hour more, in which
 * the activity itself notices the deadline. It sends its own heartbeats, with the progress. A try that was cut off costs
 * nothing but the attempt, because the job goes on without us: hence many attempts.
 */
export function followTrainingFor(milliseconds: number): Pick<Activities, 'followTraining'> {
  return proxyActivities<Pick<Activities, 'followTraining'>>({
    ...common,
    taskQueue: TRAINING_TASK_QUEUE,
    startToCloseTimeout: milliseconds + 900_000,
    retry: STUBBORN,
  });
}

/**
 * One column, for those who read the database instead of Temporal. Local, because a round trip through the server is six
 * events of history for it, and given up at once: when Postgres is away, the phase's own steps wait for it.
 */
export const { recordPhase } = proxyLocalActivities<Pick<Activities, 'recordPhase'>>({
  startToCloseTimeout: '2s',
  scheduleToCloseTimeout: '3s',
  retry: { initialInterval: '100ms', maximumAttempts: 2 },
});
