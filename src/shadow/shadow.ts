import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';

/** A version that answers copies of a share of a model's requests, unseen by anybody. */
export interface Shadow {
  model: string;
  version: number;
  /** Of the requests, in (0, 1]. */
  share: number;
  endsAt: Date;
  actor: string;
  reason: string;
  startedAt: Date;
}

export interface ShadowParts {
  db: Db;
  /** Has every replica serve the version before it is asked. */
  loadVersion: (model: string, version: number) => Promise<void>;
}

/**
 * Lets a version answer copies until `endsAt`; replaces the shadow before it. The version may be any that was not rejected,
 * but none that answers people now: their answers are there already. Throws `unknown_model`, `unknown_version`,
 * `version_rejected`, `adapter_dropped`, `conflict`, and what loading a version throws.
 */
export async function startShadow(
  { db, loadVersion }: ShadowParts,
  { model, version, share, endsAt, actor, reason }: Omit<Shadow, 'startedAt'>,
): Promise<Shadow> {
  const route = await db.prisma.route.findUnique({ where: { model } });
  if (route === null) throw new UnderstudyError('unknown_model', { model });
  const row = await db.prisma.version.findUnique({ where: { model_version: { model, version } } });
  if (row === null) throw new UnderstudyError('unknown_version', { model, version });
  if (row.state === 'rejected') throw new UnderstudyError('version_rejected', { model, version });
  if (version === route.champion || version === route.challenger) {
    throw new UnderstudyError('conflict', { detail: `Version ${version} of "${model}" answers people now.` });
  }
  await loadVersion(model, version);
  const data = {
    version,
    share,
    endsAt,
    actor: actor.slice(0, 200),
    reason: reason.slice(0, 200),
    startedAt: new Date(),
  };
  return db.prisma.$transaction(async (tx) => {
    // Whoever drops adapters waits for it, and then sees the shadow; or was faster, which is seen here.
    const [now] = await tx.$queryRaw<{ dropped: boolean }[]>`
      SELECT adapter_dropped_at IS NOT NULL AS dropped FROM versions WHERE model = ${model} AND version = ${version} FOR SHARE`;
    if (now?.dropped) throw new UnderstudyError('adapter_dropped', { model, version });
    return tx.shadow.upsert({ where: { model }, create: { model, ...data }, update: data });
  });
}

/** Ends the shadow; false when there was none. What it answered stays. Throws `unknown_model`. */
export async function stopShadow(db: Db, model: string): Promise<boolean> {
  if ((await db.prisma.model.count({ where: { name: model } })) === 0) {
    throw new UnderstudyError('unknown_model', { model });
  }
  return (await db.prisma.shadow.deleteMany({ where: { model } })).count > 0;
}

/** The shadows that have not ended at an instant, by model. */
export async function readShadows(db: Pick<Db, 'pool'>, asOf: Date): Promise<Map<string, Shadow>> {
  const { rows } = await db.pool.query<Shadow>(
    `SELECT model, version, share, ends_at AS "endsAt", actor, reason, started_at AS "startedAt"
       FROM shadows WHERE ends_at > $1`,
    [asOf],
  );
  return new Map(rows.map((row) => [row.model, row]));
}
