import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import { readRoute } from './read-route.js';

const PAUSE_MS = 25;

/**
 * Waits until a version has become champion after `epoch`, the epoch read before somebody was asked to promote it. Answers
 * the epoch that did it, `epoch` itself when the version is champion already. Throws `not_promoted` after `timeoutMs`, and
 * `unknown_model`.
 */
export async function awaitPromotion(
  db: Db,
  { model, version, epoch, timeoutMs }: { model: string; version: number; epoch: number; timeoutMs: number },
): Promise<number> {
  const startedAt = performance.now();
  for (;;) {
    const change = await db.prisma.routeChange.findFirst({
      where: { model, epoch: { gt: epoch }, action: 'promote', after: { path: ['champion'], equals: version } },
      select: { epoch: true },
    });
    if (change !== null) return change.epoch;
    const route = await readRoute(db, model);
    if (route.champion === version && route.epoch === epoch) return epoch;
    const waited = performance.now() - startedAt;
    if (waited > timeoutMs)
      throw new UnderstudyError('not_promoted', { model, version, waited_ms: Math.round(waited) });
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
