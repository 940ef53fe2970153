import type { Db } from '../db/index.js';
import { clusteredInterval } from '../stats/index.js';
import { boundaryOf } from './boundary.js';
import { type Experiment, ruleOf } from './experiment.js';
import { countsOf } from './judge-experiment.js';
import type { LookEvidence } from './look-row.js';
import { readCut } from './read-cut.js';
import { type BanditEvidence, isBandit } from './take-bandit-look.js';
import { testPrimary } from './test-primary.js';

/**
 * The numbers a move of the route rests on when it ends an A/B test: those of the newest look, or before the first look
 * those of a cut made now. n, x, difference, z, p, interval and boundary; never a text.
 */
export async function testEvidence(
  db: Pick<Db, 'prisma' | 'pool'>,
  experiment: Experiment,
  asOf: Date,
): Promise<Record<string, unknown>> {
  const look = await db.prisma.look.findFirst({ where: { experimentId: experiment.id }, orderBy: { k: 'desc' } });
  if (look !== null) {
    const { estimate } = (look.evidence as unknown as LookEvidence).figures;
    const sums = (arm: unknown) => arm as Parameters<typeof countsOf>[1];
    return {
      experiment: experiment.id,
      kind: experiment.kind,
      look: look.k,
      as_of: look.takenAt.toISOString(),
      cut: look.cutDigest,
      ...countsOf('challenger', sums(look.champion), sums(look.challenger)),
      crossed: look.crossed,
      delta: look.delta,
      z: look.z,
      p: look.p,
      interval: look.intervalLow === null ? null : [look.intervalLow, look.intervalHigh],
      ...{ boundary: look.boundary, tau: look.tau, alpha_spent: look.alphaSpent },
      ...(estimate && { estimate }),
      ...(isBandit(experiment) && {
        mode: 'bandit',
        better: (look.evidence as unknown as BanditEvidence).figures.better,
      }),
      decision: look.decision,
      look_digest: look.digest,
    };
  }
  const rule = ruleOf(experiment);
  const { second: challenger, ...cut } = await readCut(db, experiment, asOf);
  const test = testPrimary({ ...cut, challenger }, rule.primary);
  // What a look now would be held against, although this is none.
  const { c: boundary, tau } = boundaryOf({ settings: rule, last: false }, test.information);
  const interval = boundary === null ? null : clusteredInterval(test, boundary);
  return {
    experiment: experiment.id,
    kind: experiment.kind,
    look: null,
    as_of: asOf.toISOString(),
    cut: cut.digest,
    ...countsOf('challenger', cut.champion, challenger),
    crossed: cut.crossed,
    delta: test.delta,
    z: test.z,
    p: test.p,
    interval: interval === null ? null : [interval.lower, interval.upper],
    ...{ boundary, tau, alpha_spent: 0 },
    decision: null,
  };
}
