import type { Db, Tx } from '../db/index.js';
import { latestOutcomes } from '../interactions/index.js';
import { digestOf } from '../policy/index.js';
import { changeRoute, type Route } from '../routing/index.js';
import type { ArmSums } from '../stats/index.js';
import { ARM_SUMS_SQL, armSumsOf } from './arm-sums-sql.js';
import { type BanditDecision, type BanditInput, type BanditSettings, decideBandit } from './bandit.js';
import { type Experiment, ruleOf } from './experiment.js';
import { countsOf } from './judge-experiment.js';
import { digestOfLook, type LookRow, toStored } from './look-row.js';
import { cutOf } from './read-arms.js';

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
  ${latestOutcomes({ interactions: 'asked', asOf: '$2', minRating: '$5' })}
), subjects AS (
  SELECT asked.arm, asked.subject, false AS crossed, count(*) AS e, count(outcome) AS m, coalesce(sum(outcome), 0) AS x
    FROM asked LEFT JOIN outcomes ON outcomes.interaction_id = asked.id
   GROUP BY asked.arm, asked.subject
), ${ARM_SUMS_SQL}`;

async function readBothArms(db: Pick<Db, 'pool'>, experiment: Experiment, asOf: Date): Promise<[ArmSums, ArmSums]> {
  const { settings, id: experimentId } = experiment;
  const until = new Date(asOf.getTime() - settings.experiment.feedback_window);
  const { rows } = await db.pool.query<Record<string, string>>(ARMS, [
    ...[experimentId, asOf, until, ['champion', 'challenger'], settings.min_rating],
  ]);
  const { champion, second } = cutOf({ experimentId, asOf }, armSumsOf(rows, 'challenger'), 'rows');
  return [champion, second];
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
  const [champion, challenger] = await readBothArms(db, experiment, asOf);
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
