import type { Db } from '../db/index.js';
import { changeThatLeft, readRoute } from '../routing/index.js';
import { decideAtLook, type LookInput } from './decide.js';
import { type Experiment, plannedEnd, readExperiment, ruleOf } from './experiment.js';
import { extendedBy, type LookEvidence, lookRow, toStored } from './look-row.js';
import { readPastLooks } from './past-looks.js';
import { readCut } from './read-cut.js';
import { foundChange, movedByOther, type RouteChangedByOther } from './route-move.js';
import { isBandit, takeBanditLook } from './take-bandit-look.js';

/** A look in the few facts a timeline shows. */
export interface LookFacts {
  k: number;
  decision: 'wait' | 'promote' | 'reject' | 'inconclusive';
  reason: string | null;
  champion: { n: number; x: number };
  challenger: { n: number; x: number };
  tested: boolean;
  z: number | null;
  boundary: number | null;
  interval: [number, number] | null;
  /** What an experiment that ended here found, corrected for the looks before. */
  estimate?: { median: number; interval: [number, number] };
  /** At most 200 characters. */
  summary: string;
  /** A bandit's: the epoch of the route on which the experiment goes on, since the look may have moved its share. */
  epoch?: number;
  /** The route does not serve this experiment any more; by whom it was moved. */
  routeChanged?: RouteChangedByOther;
}

/**
 * Takes the k-th look at an A/B test at T = `asOf` and stores it with every number its decision came from. A look that
 * was stored is answered as it was, whatever arrived since. An experiment that ended, or that the route left, is not
 * looked at any more: the answer says how it ended, and nothing is stored.
 */
export async function takeLook(
  db: Db,
  input: { experimentId: string; k: number; asOf: Date; isLast: boolean },
): Promise<LookFacts> {
  const { experimentId, k, asOf } = input;
  const stored = await readLook(db, experimentId, k);
  const experiment = await readExperiment(db, experimentId);
  const bandit = isBandit(experiment);
  if (stored !== null) return bandit ? withEpoch(db, experiment, stored) : stored;
  const route = await readRoute(db, experiment.model);
  if (experiment.endedAt !== null || route.experimentId !== experimentId) return endedFacts(db, experiment, k);
  if (bandit) {
    const taken = await takeBanditLook(db, experiment, route, { k, asOf, last: input.isLast });
    return taken ? withEpoch(db, experiment, (await readLook(db, experimentId, k))!) : takeLook(db, input);
  }

  const settings = ruleOf(experiment);
  const { digest: cutDigest, second, ...cut } = await readCut(db, experiment, asOf);
  const startedAt = experiment.startedAt.getTime();
  const look: LookInput = {
    settings,
    startedAt,
    asOf: asOf.getTime(),
    last: input.isLast || asOf >= experiment.maxEndsAt,
    ...extendedBy(experiment.maxEndsAt.getTime() - plannedEnd(experiment).getTime()),
    ...cut,
    challenger: second,
    prior: experiment.prior,
    ...(settings.test === 'group_sequential' && { past: await readPastLooks(db, experimentId, k) }),
  };
  const facts = { experimentId, k, policyDigest: experiment.policyDigest, cutDigest };
  await db.prisma.look.createMany({
    data: toStored(lookRow(facts, look, decideAtLook(look))),
    // Two at once: the first one stands.
    skipDuplicates: true,
  });
  return (await readLook(db, experimentId, k))!;
}

async function readLook(db: Db, experimentId: string, k: number): Promise<LookFacts | null> {
  const row = await db.prisma.look.findUnique({ where: { experimentId_k: { experimentId, k } } });
  if (row === null) return null;
  const { explanation, figures } = row.evidence as unknown as LookEvidence;
  const { estimate } = figures;
  return {
    k,
    decision: row.decision as LookFacts['decision'],
    reason: row.reason,
    champion: nAndX(row.champion),
    challenger: nAndX(row.challenger),
    tested: row.tested,
    z: row.z,
    boundary: row.boundary,
    interval: row.intervalLow === null || row.intervalHigh === null ? null : [row.intervalLow, row.intervalHigh],
    ...(estimate && {
      estimate: { median: estimate.median, interval: [estimate.interval.lower, estimate.interval.upper] },
    }),
    summary: explanation,
  };
}

/** The look may have moved the route; if somebody has moved it since, who promotes finds that out. */
async function withEpoch(db: Db, { id, model }: Experiment, look: LookFacts): Promise<LookFacts> {
  const { experimentId, epoch } = await readRoute(db, model);
  return experimentId === id ? { ...look, epoch } : look;
}

function nAndX(sums: unknown): { n: number; x: number } {
  const { n, x } = sums as { n: number; x: number };
  return { n, x };
}

/** The watch loop's rejection is the decision; whatever else took the route away is somebody else's doing. */
async function endedFacts(db: Db, experiment: Experiment, k: number): Promise<LookFacts> {
  const change = await changeThatLeft(db, experiment.model, experiment.id);
  const counts = change?.evidence as
    | { n?: Record<string, number>; x?: Record<string, number>; summary?: string }
    | undefined;
  const count = (arm: string) => ({ n: counts?.n?.[arm] ?? 0, x: counts?.x?.[arm] ?? 0 });
  const rejected = experiment.decision === 'reject';
  const left = `The route left the experiment: changed by ${change?.actor ?? 'somebody'} at epoch ${change?.epoch ?? '?'}.`;
  return {
    k,
    decision: rejected ? 'reject' : 'inconclusive',
    reason: rejected ? experiment.reason : 'route_changed',
    champion: count('champion'),
    challenger: count('challenger'),
    tested: false,
    z: null,
    boundary: null,
    interval: null,
    summary: ((rejected && counts?.summary) || left).slice(0, 200),
    routeChanged: change === null ? await movedByOther(db, experiment.model) : foundChange(change),
  };
}
