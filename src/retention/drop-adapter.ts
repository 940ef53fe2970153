import type { ArtifactStore } from '../artifacts/index.js';
import type { Db, Tx } from '../db/index.js';
import { holdVersionIfFree } from '../serving/index.js';
import { whyNeeded } from './why-needed.js';

export interface Drop {
  model: string;
  version: number;
  actor: string;
  reason: string;
  policyDigest: string;
  asOf: Date;
}

/**
 * Marks a version's adapter as dropped and records it, unless something needs it by now: then the answer says what. Nothing
 * is deleted here. A rollback to the version that is going on holds it, and is left alone; one that comes later finds
 * the mark. Moving the route waits for the share of its row that is taken here, and sees the mark, too.
 */
export async function markDropped(db: Db, drop: Drop): Promise<{ dropped: boolean; why: string | null }> {
  const marked = await holdVersionIfFree(db, drop, () => db.prisma.$transaction((tx) => markIn(tx, drop)));
  return marked ?? { dropped: false, why: 'being loaded or unloaded' };
}

async function markIn(tx: Tx, drop: Drop): Promise<{ dropped: boolean; why: string | null }> {
  const { model, version, actor, reason, policyDigest, asOf } = drop;
  await tx.$queryRaw`SELECT 1 FROM routes WHERE model = ${model} FOR SHARE`;
  await tx.$queryRaw`SELECT 1 FROM versions WHERE model = ${model} AND version = ${version} FOR UPDATE`;
  const row = await tx.version.findUniqueOrThrow({ where: { model_version: { model, version } } });
  if (row.adapterDroppedAt !== null) return { dropped: false, why: 'dropped already' };
  const why = (await whyNeeded({ prisma: tx }, model, asOf)).get(version) ?? null;
  if (why !== null) return { dropped: false, why };
  await tx.version.update({
    where: { model_version: { model, version } },
    data: {
      adapterDroppedAt: asOf,
      // Out of use: the reconciler takes it from the replicas that may still have it.
      ...(row.state === 'candidate' && { state: 'archived' }),
      retiredAt: row.retiredAt ?? asOf,
    },
  });
  await tx.adapterDrop.create({
    data: {
      ...{ model, version, actor: actor.slice(0, 200), reason: reason.slice(0, 200), policyDigest, droppedAt: asOf },
      ...{ adapterUri: row.adapterUri!, adapterSha256: row.adapterSha256! },
    },
  });
  return { dropped: true, why: null };
}

/** What became of the files of a dropped adapter. `shared`: another version has the same. `training`: see below. */
export type FilesFate = 'removed' | 'absent' | 'shared' | 'training';

/**
 * Deletes the files of an adapter that was marked as dropped, when no version needs them. While a job trains on the same
 * base they stay: what it makes may be the same files, which are stored under the same name. The next pass looks again.
 */
export async function removeFiles(db: Pick<Db, 'prisma'>, store: ArtifactStore, uri: string): Promise<FilesFate> {
  const fate = await whyKept(db, uri);
  if (fate !== null) return fate;
  return (await store.remove(uri)) ? 'removed' : 'absent';
}

/** Whether another version, or a job, needs the files of an adapter beside the version itself. */
export async function whyKept(
  { prisma }: Pick<Db, 'prisma'>,
  uri: string,
  except?: { model: string; version: number },
): Promise<'shared' | 'training' | null> {
  const versions = await prisma.version.findMany({ where: { adapterUri: uri } });
  const others = versions.filter(({ model, version }) => model !== except?.model || version !== except.version);
  if (others.some(({ adapterDroppedAt }) => adapterDroppedAt === null)) return 'shared';
  const bases = [...new Set(versions.map(({ baseModel }) => baseModel))];
  const jobs = await prisma.trainingRun.findMany({
    where: { baseModel: { in: bases }, status: { in: ['intended', 'submitted', 'running', 'succeeded'] } },
    select: { id: true, cycleId: true, status: true },
  });
  const registered = new Set(
    (
      await prisma.version.findMany({
        where: { trainingRunId: { in: jobs.map(({ id }) => id) } },
        select: { trainingRunId: true },
      })
    ).map(({ trainingRunId }) => trainingRunId),
  );
  const waiting = jobs.filter(({ id }) => !registered.has(id)).map(({ cycleId }) => cycleId);
  const live = await prisma.cycle.count({ where: { id: { in: waiting }, endedAt: null } });
  return live > 0 ? 'training' : null;
}
