import type { Db } from '../db/index.js';

/** Rows a statement: a sweep must not hold many locks for long. */
const BATCH = 1_000;
const INTERVAL_MS = 600_000;

// Locked rows are being joined at this moment; one whose interaction is there lacks nothing but the joining.
const EXPIRE = `DELETE FROM feedback WHERE id IN (
  SELECT id FROM feedback f
   WHERE (interaction_id IS NULL OR model IS NULL) AND received_at < $1
     AND NOT EXISTS (SELECT FROM interactions i WHERE i.id = f.interaction_id)
   ORDER BY received_at LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)`;

/**
 * Ends the wait of feedback that was received before `parkedBefore` and whose interaction has not come, and forgets how
 * much was given on days before yesterday. Any number of servers may do it at once.
 *
 * @returns how many pieces of feedback were deleted
 */
export async function sweepFeedback(db: Pick<Db, 'pool'>, parkedBefore: Date): Promise<{ expired: number }> {
  let expired = 0;
  for (;;) {
    const { rowCount } = await db.pool.query(EXPIRE, [parkedBefore]);
    expired += rowCount ?? 0;
    if ((rowCount ?? 0) < BATCH) break;
  }
  await db.pool.query(`DELETE FROM feedback_days WHERE day < (now() AT TIME ZONE 'UTC')::date - 1`);
  return { expired };
}

/** Sweeps every ten minutes, at once for the first time, until it is stopped. */
export function startFeedbackSweep(
  db: Pick<Db, 'pool'>,
  options: {
    /** How long feedback waits for its interaction, in milliseconds. */
    parkedMs: number;
    /** After a sweep that deleted feedback. */
    onExpired: (count: number) => void;
    onError: (error: unknown) => void;
  },
): { stop(): void } {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  async function sweep(): Promise<void> {
    try {
      const { expired } = await sweepFeedback(db, new Date(Date.now() - options.parkedMs));
      if (expired > 0) options.onExpired(expired);
    } catch (error) {
      if (!stopped) options.onError(error);
    }
    if (stopped) return;
    timer = setTimeout(() => void sweep(), INTERVAL_MS);
    timer.unref();
  }
  void sweep();
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
