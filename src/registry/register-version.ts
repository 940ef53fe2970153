import { readCycle } from '../cycles/index.js';
import type { Db, Prisma, Tx } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import { type Policy, parsePolicy } from '../policy/index.js';
import { latestLabelled, nextLabel } from './version-label.js';

export interface RegisteredVersion {
  version: number;
  label: string;
  /** Immutable name under which adapter servers know it. */
  servedAs: string;
}

/**
 * Makes the adapter of a succeeded training run the next version of its model, in state candidate, and names it as the
 * cycle's candidate. Idempotent for a training run. Throws `not_found`, and `conflict` for a run that made no adapter.
 */
export async function registerVersion(
  db: Db,
  { cycleId, trainingRunId }: { cycleId: string; trainingRunId: string },
): Promise<RegisteredVersion> {
  return db.prisma.$transaction((tx) => registerIn(tx, cycleId, trainingRunId));
}

async function registerIn(tx: Tx, cycleId: string, trainingRunId: string): Promise<RegisteredVersion> {
  const cycle = await readCycle({ prisma: tx } as Pick<Db, 'prisma'>, cycleId);
  const { model, policy } = cycle;
  // One registration at a time for a model, so that its numbers have no gap and no number is given twice.
  await tx.$queryRaw`SELECT 1 FROM models WHERE name = ${model} FOR NO KEY UPDATE`;
  const known = await tx.version.findUnique({ where: { trainingRunId } });
  if (known !== null) return { version: known.version, label: known.label, servedAs: known.servedAs };

  const run = await tx.trainingRun.findUnique({ where: { id: trainingRunId } });
  if (run === null || run.cycleId !== cycleId)
    throw new UnderstudyError('not_found', { what: `Training run ${trainingRunId} of cycle ${cycleId}` });
  if (run.status !== 'succeeded')
    throw new UnderstudyError('conflict', {
      detail: `Training run ${trainingRunId} is ${run.status}; only one that succeeded makes a version.`,
    });
  const adapter = run.adapter as { uri: string; sha256: string; rank: number };

  const label = await labelFor(tx, model, { baseModel: run.baseModel, policy });
  const last = await tx.version.findFirstOrThrow({ where: { model }, orderBy: { version: 'desc' } });
  const version = last.version + 1;
  const servedAs = `${model}-v${version}`;
  await tx.version.create({
    data: {
      model,
      version,
      label,
      kind: 'adapter',
      state: 'candidate',
      servedAs,
      baseModel: run.baseModel,
      adapterUri: adapter.uri,
      adapterSha256: adapter.sha256,
      adapterRank: adapter.rank,
      trainingRunId,
      datasetId: run.datasetId,
      cycleId,
      metrics: (run.metrics ?? {}) as Prisma.InputJsonObject,
      sandbox: cycle.sandbox,
    },
  });
  await tx.cycle.update({ where: { id: cycleId }, data: { candidate: version } });
  return { version, label, servedAs };
}

async function labelFor(tx: Tx, model: string, next: { baseModel: string; policy: Policy }): Promise<string> {
  const versions = await tx.version.findMany({
    where: { model },
    select: { label: true, baseModel: true, cycleId: true },
  });
  const before = latestLabelled(versions);
  return nextLabel(before && { ...before, policy: await policyBehind(tx, before.cycleId) }, next);
}

/** Null also for one that this release does not understand: it was another one than this. */
async function policyBehind(tx: Tx, cycleId: string | null): Promise<Policy | null> {
  if (cycleId === null) return null;
  const { policy } = await tx.cycle.findUniqueOrThrow({ where: { id: cycleId } });
  try {
    return parsePolicy(policy);
  } catch {
    return null;
  }
}
