import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import { formatDuration, freezePolicySchema, frozenUntil } from '../policy/index.js';
import { changeRoute, changeThatStarted, readRoute } from '../routing/index.js';
import { type Experiment, endEvidence, endRows, readExperiment, termsOf, toExperiment } from './experiment.js';
import { movedByOther, type RouteChangedByOther } from './route-move.js';
import { after, assertMayServe, insertExperiment, nextExperimentId, priorOf } from './start-experiment.js';
import { reasonToPromote } from './take-bandit-look.js';
import { testEvidence } from './test-evidence.js';

export type Promoted =
  | { routeChanged?: false; epoch: number; bakeExperimentId: string; bakeEndsAt: string }
  /** A freeze window is on; nothing was done. ISO 8601. */
  | { routeChanged?: false; frozenUntil: string }
  | RouteChangedByOther;

/**
 * Makes the challenger champion: the A/B test ends, the old champion becomes `previous` and the holdback of a bake, in
 * one transaction. Asking again answers the same. Without a look that said "promote" the change is recorded as forced. In a
 * freeze window of the model's present policy nothing is promoted, unless `despiteFreeze`, which the change says.
 * Throws `promotion_too_early` before the floor unless `forced`, `version_rejected`, `not_found`.
 */
export async function promote(
  db: Db,
  input: {
    experimentId: string;
    expectedEpoch: number;
    actor: string;
    reason: string;
    forced: boolean;
    despiteFreeze?: boolean;
    requestId?: string;
    asOf: Date;
  },
): Promise<Promoted> {
  const { actor, asOf } = input;
  const test = await readExperiment(db, input.experimentId);
  const { model, cycleId } = test;
  const requestId = input.requestId ?? `promote:${test.id}`;
  const promoted = await findPromoted(db, cycleId);
  if (promoted !== null) return promoted;
  if (!input.forced && asOf < test.minEndsAt) {
    const floor = formatDuration(test.settings.experiment.min_duration);
    throw new UnderstudyError('promotion_too_early', { model, floor, from: test.minEndsAt.toISOString() });
  }
  await assertMayServe(db, model, test.challenger);
  // Read before the route: while the route is at this epoch, no experiment can have been added.
  const id = await nextExperimentId(db, model, 'bake');
  const route = await readRoute(db, model);
  // Moved perhaps by another attempt at this very step.
  if (route.epoch !== input.expectedEpoch || route.experimentId !== test.id)
    return (await findPromoted(db, cycleId)) ?? movedByOther(db, model);
  const freezeEnds = await readFreeze(db, model, asOf);
  if (freezeEnds !== null && !input.despiteFreeze) return { frozenUntil: freezeEnds };
  const reason = freezeEnds === null ? input.reason : `in a freeze until ${freezeEnds}: ${input.reason}`;

  const { bake: bakeMs, holdback } = test.settings.promotion;
  const bake: Experiment = {
    ...test,
    id,
    kind: 'bake',
    champion: test.challenger,
    challenger: test.champion,
    share: holdback,
    prior: await priorOf(db, { model, version: test.champion, asOf, share: holdback, settings: test.settings }),
    startedAt: asOf,
    minEndsAt: after(asOf, bakeMs),
    maxEndsAt: after(asOf, bakeMs),
  };
  const decided = await db.prisma.look.count({ where: { experimentId: test.id, decision: 'promote' } });
  const forced = input.forced || decided === 0;
  const end = { decision: 'promote', reason: forced ? 'forced' : reasonToPromote(test), asOf };
  const evidence = { ...(await testEvidence(db, test, asOf)), bake: bake.id, forced, terms: termsOf(bake) };
  const moved = await changeRoute(db, {
    model,
    expectedEpoch: input.expectedEpoch,
    next: {
      champion: bake.champion,
      previous: bake.challenger,
      challenger: bake.challenger,
      share: holdback,
      experimentId: bake.id,
    },
    action: 'promote',
    actor,
    reason,
    evidence: { ...evidence, ...(freezeEnds !== null && { despite_freeze_until: freezeEnds }), end: endEvidence(end) },
    forced,
    requestId,
    cycleId,
    async before(tx) {
      await endRows(tx, { id: test.id }, end);
      await insertExperiment(tx, bake);
    },
  });
  if (moved.changed && !moved.repeated) return factsOf(bake, moved.epoch);
  return (await findPromoted(db, cycleId)) ?? movedByOther(db, model);
}

/** When the freeze window ends that is on, ISO 8601. The calendar is that of the present policy, not of the one a cycle froze. */
async function readFreeze(db: Db, model: string, asOf: Date): Promise<string | null> {
  const { policy } = await db.prisma.model.findUniqueOrThrow({ where: { name: model }, select: { policy: true } });
  return frozenUntil(freezePolicySchema.parse(policy).promotion.freeze, asOf)?.toISOString() ?? null;
}

/** A cycle promotes once: the change that put the route on its bake, whatever request id it had. */
async function findPromoted(db: Db, cycleId: string): Promise<Promoted | null> {
  const row = await db.prisma.experiment.findUnique({ where: { cycleId_kind: { cycleId, kind: 'bake' } } });
  if (row === null) return null;
  const change = await changeThatStarted(db, row.model, row.id);
  return factsOf(toExperiment(row), change!.epoch);
}

function factsOf(bake: Experiment, epoch: number): Promoted {
  return { epoch, bakeExperimentId: bake.id, bakeEndsAt: bake.maxEndsAt.toISOString() };
}
