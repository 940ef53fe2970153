import type { Db, Prisma, Tx } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import { type Policy, parsePolicy } from '../policy/index.js';
import { changeRoute, changeThatStarted, readRoute } from '../routing/index.js';
import { assertServable } from '../serving/index.js';
import type { Prior } from '../stats/index.js';
import { maxInformationOf, plannedBoundaries } from './boundary.js';
import { championHistory } from './champion-history.js';
import {
  type Experiment,
  endRows,
  type FrozenSettings,
  ruleOf,
  settingsOf,
  slowRatioOf,
  termsOf,
  toExperiment,
} from './experiment.js';
import { experimentIdOf } from './experiment-id.js';
import { informationAtStart, withoutHistory } from './initial-information.js';
import { movedByOther, type RouteChangedByOther } from './route-move.js';
import { slowLimit, slowLimitsOfMetrics } from './slow-requests.js';
import { banditOf, isBandit } from './take-bandit-look.js';

export type StartedExperiment =
  | {
      routeChanged?: false;
      experimentId: string;
      epoch: number;
      startedAt: string;
      minEndsAt: string;
      maxEndsAt: string;
    }
  | RouteChangedByOther;

/**
 * Starts a cycle's A/B test: the experiment's row and the route's second arm, in one transaction. A cycle has one; asking
 * again answers it. Throws `unknown_version`, `version_rejected`, `not_found` (cycle).
 */
export async function startExperiment(
  db: Db,
  input: { cycleId: string; candidate: number; expectedEpoch: number; asOf: Date },
): Promise<StartedExperiment> {
  const { cycleId, candidate, expectedEpoch, asOf } = input;
  const started = await findStarted(db, cycleId);
  if (started !== null) return started;
  const cycle = await db.prisma.cycle.findUnique({ where: { id: cycleId } });
  if (cycle === null) throw new UnderstudyError('not_found', { what: `Cycle ${cycleId}` });
  const { model } = cycle;
  await assertMayServe(db, model, candidate);
  // Read before the route: while the route is at this epoch, no experiment can have been added.
  const id = await nextExperimentId(db, model, 'ab');
  const route = await readRoute(db, model);
  // Moved perhaps by another attempt at this very step.
  if (route.epoch !== expectedEpoch || route.champion === candidate)
    return (await findStarted(db, cycleId)) ?? movedByOther(db, model);

  const policy = parsePolicy(cycle.policy);
  const settings = { ...freeze(policy), ...(await freezeSlowLimits(db, policy, route.champion, asOf)) };
  const { share } = policy.experiment;
  const experiment: Experiment = {
    id,
    model,
    cycleId,
    kind: 'ab',
    champion: route.champion,
    challenger: candidate,
    share,
    settings,
    policyDigest: cycle.policyDigest,
    sandbox: cycle.sandbox,
    prior: await priorOf(db, { model, version: route.champion, asOf, share, settings }),
    startedAt: asOf,
    minEndsAt: after(asOf, policy.experiment.min_duration),
    maxEndsAt: after(asOf, policy.experiment.max_duration),
    endedAt: null,
    decision: null,
    reason: null,
  };
  const moved = await changeRoute(db, {
    model,
    expectedEpoch,
    next: { ...route, challenger: candidate, share: experiment.share, experimentId: experiment.id },
    action: 'start_experiment',
    actor: 'cycle',
    reason: 'evaluation passed',
    evidence: await startEvidence(db, experiment),
    cycleId,
    async before(tx) {
      // An experiment that is still live belongs to a cycle that is not: only one cycle holds the lease.
      await endRows(tx, { model }, { decision: 'inconclusive', reason: 'superseded', asOf });
      await insertExperiment(tx, experiment);
      await tx.cycle.update({ where: { id: cycleId }, data: { candidate } });
    },
  });
  if (moved.changed) return factsOf(experiment, moved.epoch);
  return (await findStarted(db, cycleId)) ?? movedByOther(db, model);
}

/** Stores a new experiment, in the transaction that puts it on the route. */
export async function insertExperiment(tx: Tx, experiment: Experiment): Promise<void> {
  const { prior, settings, ...row } = experiment;
  await tx.experiment.create({
    data: {
      ...row,
      settings: settings as unknown as Prisma.InputJsonObject,
      p0: prior.p0,
      d0: prior.D0,
      i0: informationAtStart(ruleOf(experiment).primary, prior, experiment.share),
    },
  });
}

/** The id for the next experiment of a model. Experiments come into being only with a move of the route. */
export async function nextExperimentId(db: Db, model: string, kind: 'ab' | 'bake'): Promise<string> {
  return experimentIdOf(model, kind, (await db.prisma.experiment.count({ where: { model } })) + 1);
}

/** The champion's last 30 days, or what stands for them when there were none. */
export async function priorOf(
  db: Db,
  request: { model: string; version: number; asOf: Date; share: number; settings: FrozenSettings },
): Promise<Prior> {
  const { share, settings } = request;
  const rule = { ...settingsOf(settings.experiment), share };
  return (await championHistory(db, request)) ?? withoutHistory(rule.primary, maxInformationOf(rule), share);
}

/** Throws `unknown_version`, `version_rejected` or `adapter_dropped`. */
export async function assertMayServe(
  db: Pick<Db, 'prisma'> | { prisma: Tx },
  model: string,
  version: number,
): Promise<void> {
  const row = await db.prisma.version.findUnique({ where: { model_version: { model, version } } });
  if (row === null) throw new UnderstudyError('unknown_version', { model, version });
  assertServable(row);
}

export function after(start: Date, milliseconds: number): Date {
  return new Date(start.getTime() + milliseconds);
}

function freeze(policy: Policy): FrozenSettings {
  return { experiment: policy.experiment, promotion: policy.promotion, min_rating: policy.curation.min_rating };
}

/** Q of the slow_rate guardrail and metrics, where there are any. */
async function freezeSlowLimits(
  db: Db,
  policy: Policy,
  version: number,
  asOf: Date,
): Promise<Pick<FrozenSettings, 'slow_limit_ms' | 'slow_limits_ms'>> {
  const maxRatio = slowRatioOf(policy.experiment);
  const limits = await slowLimitsOfMetrics(db, policy, version, asOf);
  return {
    ...(maxRatio !== undefined && {
      slow_limit_ms: await slowLimit(db, { model: policy.name, version, asOf, maxRatio }),
    }),
    ...(Object.keys(limits).length > 0 && { slow_limits_ms: limits }),
  };
}

async function findStarted(db: Db, cycleId: string): Promise<StartedExperiment | null> {
  const row = await db.prisma.experiment.findUnique({ where: { cycleId_kind: { cycleId, kind: 'ab' } } });
  if (row === null) return null;
  const change = await changeThatStarted(db, row.model, row.id);
  return factsOf(toExperiment(row), change!.epoch);
}

function factsOf(experiment: Experiment, epoch: number): StartedExperiment {
  return {
    experimentId: experiment.id,
    epoch,
    startedAt: experiment.startedAt.toISOString(),
    minEndsAt: experiment.minEndsAt.toISOString(),
    maxEndsAt: experiment.maxEndsAt.toISOString(),
  };
}

/** The rule in figures: what z will be held against, or which probabilities end a bandit. */
function ruleEvidence(experiment: Experiment): Record<string, unknown> {
  if (isBandit(experiment)) {
    const { adoptAt, dropAt } = banditOf(experiment);
    return { mode: 'bandit', boundary: null, adopt_at: adoptAt, drop_at: dropAt };
  }
  const rule = ruleOf(experiment);
  const boundaries = plannedBoundaries(rule);
  return { test: rule.test, boundary: boundaries[0] ?? null, boundaries, i_max: maxInformationOf(rule) };
}

/** An experiment starts on the evaluation; of its own it has nothing yet but the boundaries it will be held against. */
async function startEvidence(db: Db, experiment: Experiment): Promise<Record<string, unknown>> {
  const gate = await db.prisma.evaluation.findUnique({ where: { cycleId: experiment.cycleId } });
  const { primary } = ruleOf(experiment);
  return {
    experiment: experiment.id,
    kind: experiment.kind,
    n: { champion: 0, challenger: 0 },
    interval: null,
    ...ruleEvidence(experiment),
    i0: informationAtStart(primary, experiment.prior, experiment.share),
    share: experiment.share,
    ...(primary && { primary: primary.name }),
    ...(experiment.settings.slow_limit_ms !== undefined && { slow_limit_ms: experiment.settings.slow_limit_ms }),
    terms: termsOf(experiment),
    evaluation:
      gate === null
        ? null
        : {
            n: gate.n,
            difference: gate.difference,
            lower_bound: gate.lowerBound,
            margin: gate.margin,
            no_gate: gate.noGate,
          },
  };
}
