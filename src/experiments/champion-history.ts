import type { Db } from '../db/index.js';
import { designEffect, type Prior } from '../stats/index.js';
import { versionOutcomes } from './version-outcomes.js';

const DAYS_30 = 30 * 86_400_000;

/**
 * What is known of a version before an experiment: positive share p₀ and design effect D₀ of what it answered in the 30
 * days before `asOf`. Null without outcomes, without variation or with fewer than two subjects.
 */
export async function championHistory(
  db: Pick<Db, 'pool'>,
  request: { model: string; version: number; asOf: Date; minRating: number },
): Promise<Prior | null> {
  const from = new Date(request.asOf.getTime() - DAYS_30);
  const sums = await versionOutcomes(db, { ...request, from });
  const D0 = designEffect(sums);
  if (D0 === null || sums.x === 0 || sums.x === sums.n) return null;
  return { p0: sums.x / sums.n, D0 };
}
