import type { Activities } from '../../src/activities/contract.js';

/** Long enough to be an experiment, over before anybody could wait for it. */
const PLAN = {
  sandbox: true,
  minNewExamples: 1_000,
  maxTrainingMs: 3_600_000,
  minDurationMs: 1,
  maxDurationMs: 120 * 3_600_000,
  lookEveryMs: 24 * 3_600_000,
  share: 0.1,
  bakeMs: 1,
  holdback: 0.1,
  drainMs: 0,
};
const SHA = 'a'.repeat(64);
const ID = '11111111-1111-4111-8111-111111111111';
const later = (asOf: string, milliseconds: number) => new Date(Date.parse(asOf) + milliseconds).toISOString();

/** Every step of a cycle that is promoted, answered at once and as the real stages answer; nothing is stored anywhere. */
export function instantStages(): Activities {
  const stages: Partial<Activities> = {
    openCycle: async () => ({
      opened: true,
      ...{ cycleId: ID, policyDigest: SHA, plan: PLAN, champion: 1, epoch: 4 },
    }),
    recordPhase: async () => undefined,
    closeCycle: async () => undefined,
    collect: async () => ({ datasetId: ID, considered: 5_000, eligible: 4_200, needed: 1_000, tooFew: false }),
    curate: async ({ datasetId }) => ({
      ...{ datasetId, digest: SHA, considered: 5_000, kept: 4_000, train: 3_600, validation: 400, tooFew: false },
      leftOut: { no_feedback: 800, duplicate: 150, blocked_pattern: 50 },
    }),
    submitTraining: async () => ({ trainingRunId: ID, jobId: 'ftjob-1' }),
    followTraining: async () => ({
      ...{ trainingRunId: ID, jobId: 'ftjob-1', adapterSha256: SHA },
      ...{ steps: 450, firstLoss: 3.1, lastLoss: 0.4, seconds: 66 },
    }),
    registerVersion: async () => ({ version: 2, label: '1.1.0', servedAs: 'bench-v2' }),
    loadVersion: async () => undefined,
    evaluate: async () => ({
      ...{ passed: true, noGate: false, n: 400, champion: 0.5, challenger: 0.6 },
      ...{ difference: 0.1, lowerBound: 0.05, margin: 0.02, summary: 'challenger 0.60, champion 0.50, n = 400' },
    }),
    startExperiment: async ({ asOf }) => ({
      ...{ experimentId: ID, epoch: 5, startedAt: asOf },
      ...{ minEndsAt: later(asOf, PLAN.minDurationMs), maxEndsAt: later(asOf, PLAN.maxDurationMs) },
    }),
    takeLook: async ({ k }) => ({
      ...{ k, decision: 'promote', reason: 'significant', tested: true, z: 3.1, boundary: 2.9 },
      ...{ champion: { n: 1_800, x: 1_080 }, challenger: { n: 1_750, x: 1_170 }, interval: [0.02, 0.11] },
      estimate: { median: 0.06, interval: [0.02, 0.1] },
      summary: 'Better. challenger 66.9 % of 1750, champion 60.0 % of 1800: +6.9 pp, 95 % interval 2.0 to 11.0, z 3.10',
    }),
    promote: async ({ asOf }) => ({ epoch: 6, bakeExperimentId: ID, bakeEndsAt: later(asOf, PLAN.bakeMs) }),
    checkBake: async () => ({
      rollback: false,
      ...{ champion: { n: 900, x: 600 }, holdback: { n: 100, x: 60 }, summary: 'Holding: +6.7 pp' },
    }),
    endBake: async () => ({ epoch: 7 }),
  };
  return stages as Activities;
}
