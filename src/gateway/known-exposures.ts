import { Recent } from '../recent.js';

/** Exposures that are stored already: people come back, and only their first time counts. */
export interface KnownExposures {
  has(key: string): boolean;
  add(key: string): void;
}

/**
 * Remembers the newest `limit` to twice as many, for `forMs` to twice as long: no longer, so that a subject who was erased
 * and comes back is exposed anew.
 */
export function openKnownExposures(limit = 50_000, forMs = 300_000): KnownExposures {
  const known = new Recent<true>({ kept: limit, forMs });
  return {
    has: (key) => known.has(key),
    add: (key) => known.set(key, true),
  };
}
