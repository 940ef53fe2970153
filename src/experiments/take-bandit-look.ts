import type { Db, Tx } from '../db/index.js';
import { FAILED_IN_ARM_SQL, latestOutcomes } from '../interactions/index.js';
import { digestOf } from '../policy/index.js';
import { changeRoute, type Route } from '../routing/index.js';
import { type ArmSums, checkArmSums } from '../stats/index.js';
import { type BanditDecision, type BanditInput, type BanditSettings, decideBandit } from './bandit.js';
import { type Experiment, ruleOf } from './experiment.js';
import { countsOf } from './judge-experiment.js';
import { digestOfLook, type LookRow, toStored } from './look-row.js';

/** What `evidence` of a bandit's look holds; `mode` tells it from a test's. */
export interface BanditEvidence {
  mode: 'bandit';
  /** The input, but for the arms, which have columns. */
  input: Omit<BanditInput, 'champion' | 'challenger'>;
  figures: Omit<BanditDecision, 'explanation'>;
  explanation: string;
}

/** The frozen settings in the shape the rule wants them in. */
export function banditOf(experiment: Experiment): BanditSettings {
  const { minDurationMs, minSamplesPerArm, minSubjectsPerArm, guardrails } = ruleOf(experiment);
  const { adopt_at: adoptAt, drop_at: dropAt } = experiment.settings.experiment.bandit;
  const floorAt = experiment.startedAt.getTime() + minDurationMs;
  return { adoptAt, dropAt, floorAt, minSamplesPerArm, minSubjectsPerArm, guardrails };
}

export function isBandit(experiment: Experiment): boolean {
  // Experiments from before there was a choice have no mode.
  return experiment.settings.experiment.mode === 'bandit';
}

/** Why an experiment of this mode promotes when nobody forces it. */
export function reasonToPromote(experiment: Experiment): 'significant' | 'bandit' {
  return isBandit(experiment) ? 'bandit' : 'significant';
}

// A subject may have been in both arms, as the share moves: every interaction counts for the arm it was assigned to.
const ARMS = `
WITH asked AS (
  SELECT id, subject, arm, response FROM interactions
   WHERE experiment_id = $1 AND subject IS NOT NULL AND asked_at <= $3 AND received_at <= $2
), outcomes AS (
  ${latestOutcomes({ interactions: 'asked', asOf: '$2', minRating: '$4' })}
), subjects AS (
  SELECT asked.arm, asked.subject, count(*) AS e, count(outcome) AS m, coalesce(sum(outcome), 0) AS x
    FROM asked LEFT JOIN outcomes ON outcomes.interaction_id = asked.id
   GROUP BY asked.arm, asked.subject
), requests AS (
  SELECT i.arm, count(*) AS requests, count(*) FILTER (WHERE ${FAILED_IN_ARM_SQL}) AS errors
    FROM interactions i
   WHERE i.experiment_id = $1 AND i.asked_at <= $2 AND i.received_at <= $2
   GROUP BY i.arm
)
SELECT arms.arm,
       count(s.subject) AS "O",
       count(s.subject) AS "S",
       count(*) FILTER (WHERE s.m > 0) AS "N",
       coalesce(sum(s.e), 0) AS "E",
       coalesce(sum(s.m), 0) AS n,
       coalesce(sum(s.x), 0) AS x,
       coalesce(sum(s.m * s.m), 0) AS m2,
       coalesce(sum(s.x * s.x), 0) AS x2,
       coalesce(sum(s.x * s.m), 0) AS xm,
       coalesce(sum(s.e * s.e), 0) AS e2,
       coalesce(sum(s.e * s.m), 0) AS em,
       coalesce(max(r.requests), 0) AS requests,
       coalesce(max(r.errors), 0) AS errors
  FROM unnest(ARRAY['champion', 'challenger']) AS arms (arm)
  LEFT JOIN subjects s ON s.arm = arms.arm
  LEFT JOIN requests r ON r.arm = arms.arm
 GROUP BY arms.arm`;

async function readArms(db: Pick<Db, 'pool'>, experiment: Experiment, asOf: Date): Promise<[ArmSums, ArmSums]> {
  const { settings, id } = experiment;
  const until = new Date(asOf.getTime() - settings.experiment.feedback_window);
  const { rows } = await db.pool.query<Record<string, string>>(ARMS, [id, asOf, until, settings.min_rating]);
  const sums = (name: string) => {
    const { arm: _, ...texts } = rows.find(({ arm }) => arm === name)!;
    const numbers = Object.entries(texts).map(([sum, text]) => [sum, Number(text)]);
    return checkArmSums(Object.fromEntries(numbers) as unknown as ArmSums);
  };
  return [sums('champion'), sums('challenger')];
}

/**
 * Takes the k-th look of a bandit: decides, moves the share of the challenger to what it earned, and stores the numbers of
 * both with the move, in one transaction. False when somebody else moved the route meanwhile; nothing is stored then.
 *
 * @param route as it is; on this experiment
 */
export async function takeBanditLook(
  db: Db,
  experiment: Experiment,
  route: Route,
  { k, asOf, last }: { k: number; asOf: Date; last: boolean },
): Promise<boolean> {
  const [champion, challenger] = await readArms(db, experiment, asOf);
  const settings = banditOf(experiment);
  const share = route.share ?? experiment.share;
  const isLast = last || asOf >= experiment.maxEndsAt;
  const input = { settings, asOf: asOf.getTime(), last: isLast, share };
  const decision = decideBandit({ ...input, champion, challenger });
  const moves = decision.decision === 'wait' && decision.share !== share;
  const { explanation, ...figures } = decision;
  const evidence: BanditEvidence = { mode: 'bandit', input, figures, explanation };
  const row = banditRow(experiment, { k, asOf, champion, challenger }, evidence);
  const store = async (prisma: Pick<Tx, 'look'>) => {
    // Two at once: the first one stands.
    await prisma.look.createMany({ data: toStored(row), skipDuplicates: true });
  };
  if (!moves) {
    await store(db.prisma);
    return true;
  }
  const moved = await changeRoute(db, {
    model: experiment.model,
    expectedEpoch: route.epoch,
    next: { ...route, share: decision.share },
    action: 'reallocate',
    actor: 'cycle',
    reason: explanation,
    evidence: {
      experiment: experiment.id,
      mode: 'bandit',
      look: k,
      as_of: asOf.toISOString(),
      cut: row.cutDigest,
      ...countsOf('challenger', champion, challenger),
      better: decision.better,
      delta: decision.delta,
      share: { before: share, after: decision.share },
      look_digest: row.digest,
    },
    requestId: `bandit:${experiment.id}:${k}`,
    cycleId: experiment.cycleId,
    alongside: store,
  });
  return moved.changed;
}

/** A bandit's look as it is stored: what only a test has is null, and no information is asked for (`i_max` 0). */
export function banditRow(
  experiment: Experiment,
  { k, asOf, champion, challenger }: { k: number; asOf: Date; champion: ArmSums; challenger: ArmSums },
  evidence: BanditEvidence,
): LookRow {
  const { figures } = evidence;
  const unknown = { z: null, p: null, intervalLow: null, intervalHigh: null, boundary: null, information: null };
  const row: LookRow = {
    experimentId: experiment.id,
    k,
    takenAt: asOf,
    policyDigest: experiment.policyDigest,
    cutDigest: digestOf({ experiment: experiment.id, asOf: asOf.toISOString(), champion, second: challenger }),
    champion,
    challenger,
    crossed: 0,
    tested: false,
    ...unknown,
    delta: figures.delta,
    iMax: 0,
    i0: 0,
    tau: null,
    alphaSpent: null,
    srmP: null,
    deltaImputed: null,
    evidence,
    decision: figures.decision,
    reason: figures.reason,
    digest: null,
  };
  return { ...row, digest: digestOfLook(row) };
}
