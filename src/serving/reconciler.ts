import { setTimeout as sleep } from 'node:timers/promises';
import type { ArtifactStore } from '../artifacts/index.js';
import type { Db } from '../db/index.js';
import { type Reconciliation, reconcile } from './reconcile.js';
import type { Secrets } from './version-facts.js';

export interface ReconcilerOptions {
  /** Pause between two passes, in milliseconds. */
  intervalMs: number;
  /** After each pass. */
  onPass?: (done: Reconciliation) => void;
  /** A pass that could not be made at all, e.g. without Postgres; the next one comes as always. */
  onError?: (error: unknown) => void;
}

/** Reconciles now and then for ever, one pass at a time. `stop` ends the pass under way and resolves when it has ended. */
export function startReconciler(
  db: Db,
  store: ArtifactStore,
  secrets: Secrets,
  { intervalMs, onPass, onError }: ReconcilerOptions,
): { stop(): Promise<void> } {
  const stopped = new AbortController();
  const { signal } = stopped;
  const loop = (async () => {
    while (!signal.aborted) {
      try {
        const done = await reconcile(db, store, secrets, { asOf: new Date(), signal });
        if (!signal.aborted) onPass?.(done);
      } catch (error) {
        if (!signal.aborted) onError?.(error);
      }
      await sleep(intervalMs, undefined, { signal }).catch(() => undefined);
    }
  })();
  return {
    stop() {
      stopped.abort();
      return loop;
    },
  };
}
