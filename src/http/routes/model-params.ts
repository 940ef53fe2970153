import { z } from 'zod';
import type { Db } from '../../db/index.js';
import { UnderstudyError } from '../../errors.js';

/** `:model` of a path. Any text: one that cannot be a model's name is answered as unknown. */
export const modelParams = z.strictObject({ model: z.string() });

/** Throws `unknown_model`. */
export async function requireModel(db: Db, model: string): Promise<void> {
  const row = await db.prisma.model.findUnique({ where: { name: model }, select: { name: true } });
  if (row === null) throw new UnderstudyError('unknown_model', { model });
}
