import type { Cycle } from './cycle.js';

/**
 * The request id of a route change that an operator asked for, under the cycle's name: one that was used for another
 * change somewhere else must not stop this one.
 */
export function requestIdOf(
  cycle: Cycle,
  kind: 'promote' | 'rollback',
  id: string | undefined,
): { requestId?: string } {
  return id === undefined ? {} : { requestId: `${cycle.id}/${kind}/${id}` };
}
