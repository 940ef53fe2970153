import { z } from 'zod';
import type { Db } from '../../db/index.js';

const figure = z.number().nullable();
const figures = z.record(z.string(), z.unknown());

/** One look, with every number its decision rests on. */
export const lookView = z.strictObject({
  k: z.int(),
  taken_at: z.iso.datetime(),
  decision: z.enum(['wait', 'promote', 'reject', 'inconclusive']),
  reason: z.string().nullable(),
  tested: z.boolean(),
  champion: figures,
  challenger: figures,
  crossed: z.int(),
  z: figure,
  p: figure,
  delta: figure,
  interval: z.array(z.number()).length(2).nullable().describe('Lower and upper bound'),
  boundary: figure,
  information: figure,
  i_max: z.number(),
  i0: z.number(),
  tau: figure,
  alpha_spent: figure,
  srm_p: figure,
  delta_imputed: figure,
  policy_digest: z.string(),
  cut_digest: z.string(),
  evidence: figures,
  digest: z.string().nullable(),
});

/** Champion against challenger (`ab`), or the new champion against the holdback (`bake`); `decision` is null while it runs. */
export const experimentView = z.strictObject({
  id: z.uuid(),
  kind: z.enum(['ab', 'bake']),
  cycle: z.uuid(),
  champion: z.int(),
  challenger: z.int(),
  share: z.number(),
  policy_digest: z.string(),
  sandbox: z.boolean(),
  started_at: z.iso.datetime(),
  min_ends_at: z.iso.datetime(),
  max_ends_at: z.iso.datetime(),
  ended_at: z.iso.datetime().nullable(),
  decision: z.string().nullable(),
  reason: z.string().nullable(),
  looks: z.array(lookView),
});

type ExperimentRow = Awaited<ReturnType<Db['prisma']['experiment']['findFirstOrThrow']>>;
type LookRow = Awaited<ReturnType<Db['prisma']['look']['findFirstOrThrow']>>;
type LookView = z.input<typeof lookView>;

/** Experiments with their looks, which are read in one query. */
export async function viewExperiments(
  db: Db,
  rows: readonly ExperimentRow[],
): Promise<z.input<typeof experimentView>[]> {
  const looks = await db.prisma.look.findMany({
    where: { experimentId: { in: rows.map(({ id }) => id) } },
    orderBy: { k: 'asc' },
  });
  return rows.map((row) => ({
    id: row.id,
    kind: row.kind as 'ab' | 'bake',
    cycle: row.cycleId,
    champion: row.champion,
    challenger: row.challenger,
    share: row.share,
    policy_digest: row.policyDigest,
    sandbox: row.sandbox,
    started_at: row.startedAt.toISOString(),
    min_ends_at: row.minEndsAt.toISOString(),
    max_ends_at: row.maxEndsAt.toISOString(),
    ended_at: row.endedAt?.toISOString() ?? null,
    decision: row.decision,
    reason: row.reason,
    looks: looks.filter(({ experimentId }) => experimentId === row.id).map(viewLook),
  }));
}

function viewLook(row: LookRow): LookView {
  const { intervalLow: low, intervalHigh: high } = row;
  return {
    k: row.k,
    taken_at: row.takenAt.toISOString(),
    decision: row.decision as LookView['decision'],
    reason: row.reason,
    tested: row.tested,
    champion: row.champion as Record<string, unknown>,
    challenger: row.challenger as Record<string, unknown>,
    crossed: row.crossed,
    z: row.z,
    p: row.p,
    delta: row.delta,
    interval: low === null || high === null ? null : [low, high],
    boundary: row.boundary,
    information: row.information,
    i_max: row.iMax,
    i0: row.i0,
    tau: row.tau,
    alpha_spent: row.alphaSpent,
    srm_p: row.srmP,
    delta_imputed: row.deltaImputed,
    policy_digest: row.policyDigest,
    cut_digest: row.cutDigest,
    evidence: row.evidence as Record<string, unknown>,
    digest: row.digest,
  };
}
