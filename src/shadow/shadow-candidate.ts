import { readCycle } from '../cycles/index.js';
import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import { formatDuration } from '../policy/index.js';
import { startShadow } from './shadow.js';

/** How a candidate did with copies, before it answers people. */
export interface ShadowTrial {
  /** It had as many copies as it takes, and failed no more of them than it may. */
  passed: boolean;
  /** There were enough copies to say so. */
  enough: boolean;
  n: number;
  failed: number;
  /** The most that may fail, as a share. */
  limit: number;
  /** At most 200 characters. */
  summary: string;
}

/**
 * Lets the candidate of a cycle answer copies, for as long as the policy of the cycle says; replaces a shadow that somebody
 * else started. A second time it goes on as it was. Throws what `startShadow` throws.
 */
export async function shadowCandidate(
  db: Db,
  { cycleId, version, asOf }: { cycleId: string; version: number; asOf: Date },
): Promise<{ until: string }> {
  const { model, share, duration } = await termsOf(db, cycleId);
  const reason = reasonOf(cycleId);
  const running = await db.prisma.shadow.findUnique({ where: { model } });
  if (running?.reason === reason && running.version === version) return { until: running.endsAt.toISOString() };
  const endsAt = new Date(asOf.getTime() + duration);
  // The cycle has loaded it, and the reconciler keeps it loaded.
  const parts = { db, loadVersion: async () => {} };
  await startShadow(parts, { model, version, share, endsAt, actor: 'cycle', reason });
  return { until: endsAt.toISOString() };
}

/** Judges the candidate by the copies that were asked since then, and asks it no more. */
export async function judgeShadow(
  db: Db,
  { cycleId, version, since }: { cycleId: string; version: number; since: Date },
): Promise<ShadowTrial> {
  const { model, min_answers: needed, max_error_rate: limit, duration } = await termsOf(db, cycleId);
  const { rows } = await db.pool.query<{ n: number; failed: number }>(COUNT, [model, version, since]);
  const { n, failed } = rows[0]!;
  await endShadow(db, { cycleId });
  const enough = n >= needed;
  const passed = enough && failed <= limit * n;
  const share = (part: number) => `${(100 * part).toFixed(1)} %`;
  const summary = enough
    ? `${failed} of ${n} copies failed (${share(failed / n)}), allowed ${share(limit)}`
    : `${n} copies in ${formatDuration(duration)}, ${needed} needed`;
  return { passed, enough, n, failed, limit, summary };
}

/** Asks the candidate of a cycle no more; a shadow that somebody else started stays. */
export async function endShadow(db: Db, { cycleId }: { cycleId: string }): Promise<void> {
  await db.prisma.shadow.deleteMany({ where: { actor: 'cycle', reason: reasonOf(cycleId) } });
}

// The ids are those of the interactions, which begin with their time.
const COUNT = `SELECT count(*)::int AS n, count(*) FILTER (WHERE status = 'failed')::int AS failed
  FROM shadow_answers WHERE model = $1 AND version = $2 AND id >= uuid7_floor($3)`;

async function termsOf(db: Db, cycleId: string) {
  const { model, policy } = await readCycle(db, cycleId);
  const terms = policy.experiment.shadow_first;
  if (terms === null)
    throw new UnderstudyError('conflict', { detail: `Cycle ${cycleId} has no experiment.shadow_first.` });
  return { model, ...terms };
}

function reasonOf(cycleId: string): string {
  return `before the experiment of cycle ${cycleId}`;
}
