import type { Db } from '../db/index.js';
import { changeThatLeft } from '../routing/index.js';

/** Answers to the golden set, of a champion and a challenger. Shares are counts over n. */
export interface EvaluationFacts {
  cycle: string;
  champion: number;
  challenger: number;
  golden_digest: string | null;
  n: number;
  champion_right: number;
  challenger_right: number;
  /** challenger − champion; null without a golden set. */
  difference: number | null;
  /** One-sided 95 % lower limit of the difference. */
  lower_bound: number | null;
  margin: number;
  no_gate: boolean;
  passed: boolean;
  at: string;
}

/** An A/B test or a bake, with what it rests on. */
export interface ExperimentFacts {
  id: string;
  kind: 'ab' | 'bake';
  cycle: string;
  champion: number;
  challenger: number;
  share: number;
  policy_digest: string;
  sandbox: boolean;
  started_at: string;
  /** Null while it runs. */
  ended_at: string | null;
  decision: string | null;
  reason: string | null;
  looks: number;
  /** The newest look; a bake has none. */
  look: {
    k: number;
    taken_at: string;
    decision: string;
    reason: string | null;
    n: { champion: number; challenger: number };
    x: { champion: number; challenger: number };
    delta: number | null;
    z: number | null;
    p: number | null;
    interval: [number, number] | null;
    boundary: number | null;
    tau: number | null;
    alpha_spent: number | null;
  } | null;
  /** The route change that ended it: by whom, and with the numbers it rests on (n, interval, boundary). */
  ended_by: {
    epoch: number;
    action: string;
    actor: string;
    reason: string;
    forced: boolean;
    evidence: Record<string, unknown>;
  } | null;
}

/** A move of all traffic to a version or away from it. */
export interface ChampionMove {
  epoch: number;
  action: string;
  /** Champion before and after. */
  from: number | null;
  to: number;
  actor: string;
  reason: string;
  forced: boolean;
  at: string;
}

/** The evaluations that a version took part in, oldest first. */
export async function readEvaluations(
  { prisma }: Pick<Db, 'prisma'>,
  model: string,
  version: number,
): Promise<EvaluationFacts[]> {
  const rows = await prisma.evaluation.findMany({
    where: { model, OR: [{ champion: version }, { challenger: version }] },
    orderBy: { createdAt: 'asc' },
  });
  return rows.map((row) => ({
    cycle: row.cycleId,
    champion: row.champion,
    challenger: row.challenger,
    golden_digest: row.goldenDigest,
    n: row.n,
    champion_right: row.championRight,
    challenger_right: row.challengerRight,
    difference: row.difference,
    lower_bound: row.lowerBound,
    margin: row.margin,
    no_gate: row.noGate,
    passed: row.passed,
    at: row.createdAt.toISOString(),
  }));
}

/** The experiments that a version took part in, bakes too, oldest first. */
export async function readExperiments(
  { prisma }: Pick<Db, 'prisma'>,
  model: string,
  version: number,
): Promise<ExperimentFacts[]> {
  const rows = await prisma.experiment.findMany({
    where: { model, OR: [{ champion: version }, { challenger: version }] },
    orderBy: [{ startedAt: 'asc' }, { id: 'asc' }],
  });
  const looks = await prisma.look.findMany({
    where: { experimentId: { in: rows.map(({ id }) => id) } },
    orderBy: { k: 'asc' },
  });
  const facts: ExperimentFacts[] = [];
  for (const row of rows) {
    const own = looks.filter(({ experimentId }) => experimentId === row.id);
    const left = await changeThatLeft({ prisma }, model, row.id);
    facts.push({
      id: row.id,
      kind: row.kind as ExperimentFacts['kind'],
      cycle: row.cycleId,
      champion: row.champion,
      challenger: row.challenger,
      share: row.share,
      policy_digest: row.policyDigest,
      sandbox: row.sandbox,
      started_at: row.startedAt.toISOString(),
      ended_at: row.endedAt?.toISOString() ?? null,
      decision: row.decision,
      reason: row.reason,
      looks: own.length,
      look: lookFacts(own.at(-1)),
      ended_by: left && {
        epoch: left.epoch,
        action: left.action,
        actor: left.actor,
        reason: left.reason,
        forced: left.forced,
        evidence: left.evidence,
      },
    });
  }
  return facts;
}

type LookRow = Awaited<ReturnType<Db['prisma']['look']['findFirstOrThrow']>>;

function lookFacts(row: LookRow | undefined): ExperimentFacts['look'] {
  if (row === undefined) return null;
  const { intervalLow: low, intervalHigh: high } = row;
  const [champion, challenger] = [row.champion, row.challenger] as unknown as { n: number; x: number }[];
  return {
    k: row.k,
    taken_at: row.takenAt.toISOString(),
    decision: row.decision,
    reason: row.reason,
    n: { champion: champion!.n, challenger: challenger!.n },
    x: { champion: champion!.x, challenger: challenger!.x },
    delta: row.delta,
    z: row.z,
    p: row.p,
    interval: low === null || high === null ? null : [low, high],
    boundary: row.boundary,
    tau: row.tau,
    alpha_spent: row.alphaSpent,
  };
}

const MOVES = `
SELECT epoch, action, (before->>'champion')::int AS "from", (after->>'champion')::int AS "to", actor, reason, forced,
       created_at AS at
  FROM route_changes
 WHERE model = $1 AND $2::int IN ((before->>'champion')::int, (after->>'champion')::int)
   AND (before->>'champion')::int IS DISTINCT FROM (after->>'champion')::int
 ORDER BY epoch`;

/** Who gave all traffic to a version, and who took it away, oldest first. */
export async function readChampionMoves(
  { pool }: Pick<Db, 'pool'>,
  model: string,
  version: number,
): Promise<ChampionMove[]> {
  const { rows } = await pool.query<Omit<ChampionMove, 'at'> & { at: Date }>(MOVES, [model, version]);
  return rows.map((row) => ({ ...row, at: row.at.toISOString() }));
}
