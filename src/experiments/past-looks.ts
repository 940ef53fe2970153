import type { Db } from '../db/index.js';
import type { PastLook } from './look.js';

/** The looks of an experiment before the k-th at which z was held against a boundary, in order. */
export async function readPastLooks(db: Pick<Db, 'prisma'>, experimentId: string, k: number): Promise<PastLook[]> {
  const rows = await db.prisma.look.findMany({
    where: { experimentId, tested: true, k: { lt: k } },
    orderBy: { k: 'asc' },
  });
  return rows.map(toPastLook);
}

type Row = Pick<
  Awaited<ReturnType<Db['prisma']['look']['findFirstOrThrow']>>,
  'k' | 'information' | 'tau' | 'z' | 'boundary' | 'alphaSpent'
>;

/** A tested look has all of these but a boundary, which is null where it could not stop. */
export function toPastLook({ k, information, tau, z, boundary, alphaSpent }: Row): PastLook {
  return { k, information: information!, tau: tau!, z: z!, c: boundary, alphaSpent: alphaSpent! };
}
