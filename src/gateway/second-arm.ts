import type { Route } from '../routing/index.js';

/**
 * What the second arm of a route's experiment is called, from the kinds of live experiments by id. Of an experiment whose
 * row could not be read yet, the route itself says it: in a bake the second arm is the previous champion.
 */
export function secondArmOf(route: Route, kinds: ReadonlyMap<string, string>): 'challenger' | 'holdback' {
  const kind = route.experimentId === null ? undefined : kinds.get(route.experimentId);
  const isBake =
    kind === undefined ? route.challenger !== null && route.challenger === route.previous : kind === 'bake';
  return isBake ? 'holdback' : 'challenger';
}
