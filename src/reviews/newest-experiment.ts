import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';

/** Throws `unknown_model`. */
export async function assertModel(db: Pick<Db, 'prisma'>, model: string): Promise<void> {
  const found = await db.prisma.model.findUnique({ where: { name: model }, select: { name: true } });
  if (found === null) throw new UnderstudyError('unknown_model', { model });
}

/** The newest A/B test of a model. Throws `unknown_model`, `not_found`. */
export async function newestExperiment(db: Pick<Db, 'prisma'>, model: string): Promise<{ id: string }> {
  await assertModel(db, model);
  const found = await db.prisma.experiment.findFirst({
    where: { model, kind: 'ab' },
    orderBy: { startedAt: 'desc' },
    select: { id: true },
  });
  if (found === null) throw new UnderstudyError('not_found', { what: `An experiment of "${model}"` });
  return found;
}
