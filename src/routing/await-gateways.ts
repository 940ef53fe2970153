import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';

/** Who answers from a route change on. */
export interface FollowedBy {
  /** Gateways that follow it: none of their requests that begin now is answered from the route before. */
  gateways: number;
  /** From the question to the last of them, in milliseconds. */
  ms: number;
  /**
   * Gateways that do not follow it and stopped giving signs of life without a goodbye: dead, or cut off from Postgres,
   * and then they serve what they knew. They are named for ten minutes.
   */
  silent: string[];
}

/** A gateway without a sign of life for so long is taken for dead. */
const LIVE_MS = 5_000;
/** One that was there so lately gets as long to come back: it may have lost Postgres just as we did. */
const LATELY_MS = 60_000;
const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 50;

/**
 * Waits until every live gateway follows a model's route at `epoch` or later. Throws `gateways_behind`, which names those
 * that do not after `timeoutMs`; the route has moved all the same.
 */
export async function awaitGateways(
  db: Pick<Db, 'pool'>,
  { model, epoch, timeoutMs = 10_000 }: { model: string; epoch: number; timeoutMs?: number },
): Promise<FollowedBy> {
  const startedAt = performance.now();
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    const { rows } = await db.pool.query<{ name: string; silence: number; follows: boolean }>(
      `SELECT name, extract(epoch FROM now() - seen_at)::float8 * 1000 AS silence,
              coalesce((epochs ->> $1)::int, 0) >= $2 AS follows
         FROM gateways ORDER BY name`,
      [model, epoch],
    );
    const ms = performance.now() - startedAt;
    const patience = ms < LIVE_MS ? LATELY_MS : LIVE_MS;
    const behind = rows.filter(({ follows }) => !follows);
    const missing = behind.filter(({ silence }) => silence < patience).map(({ name }) => name);
    if (missing.length === 0) {
      const silent = behind.map(({ name }) => name);
      return { gateways: rows.length - silent.length, ms, silent };
    }
    if (ms > timeoutMs)
      throw new UnderstudyError('gateways_behind', {
        model,
        epoch,
        missing: missing.join(', '),
        waited_ms: Math.round(ms),
      });
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
