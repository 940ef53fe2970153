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
  let newer = new Set<string>();
  let older = new Set<string>();
  let since = performance.now();

  function age(): void {
    const now = performance.now();
    if (newer.size < limit && now - since < forMs) return;
    older = now - since < 2 * forMs ? newer : new Set();
    newer = new Set();
    since = now;
  }

  return {
    has(key) {
      age();
      return newer.has(key) || older.has(key);
    },
    add(key) {
      age();
      newer.add(key);
    },
  };
}
