import type { Shadow } from '../shadow/index.js';

/** What the API asks other parts to do; injected, so that it needs neither Temporal nor their code. */
export interface Operations {
  /**
   * Moves the route back, with or without Temporal. The same request id again answers what the first one did.
   * Throws `nothing_to_roll_back`, `unknown_version`, `version_rejected`, `request_id_reused`, `route_conflict`.
   */
  rollBack(input: {
    model: string;
    /** Absent: the route's previous version. */
    toVersion?: number | undefined;
    actor: string;
    reason: string;
    requestId: string;
  }): Promise<{ epoch: number; fromVersion: number; toVersion: number }>;
  /** Lets a version answer copies, see `startShadow`. */
  startShadow(input: Omit<Shadow, 'startedAt'>): Promise<Shadow>;
  /**
   * Asks the running cycle to promote its candidate; the cycle judges it. Throws `not_found` when none is running, and
   * `temporal_unreachable`.
   */
  promote(input: {
    model: string;
    candidate: number;
    actor: string;
    reason: string;
    requestId: string;
    force: boolean;
  }): Promise<void>;
}
