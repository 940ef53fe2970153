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
   * Asks the running cycle to promote its candidate; the cycle judges it. Throws `not_found` when none is running,
   * `message_refused` with the cycle's reason, and `temporal_unreachable`.
   */
  promote(input: {
    model: string;
    candidate: number;
    actor: string;
    /** Whose key it is: two approvals of one key are one. */
    identity: string;
    reason: string;
    requestId: string;
    force: boolean;
  }): Promise<Heard>;
  /** Asks the running cycle to put off the last look of its experiment. Throws what `promote` throws. */
  extend(input: {
    model: string;
    /** e.g. `48h` */
    by: string;
    candidate?: number | undefined;
    actor: string;
    reason?: string | undefined;
    requestId: string;
  }): Promise<Heard>;
  /** Has a parked cycle try again; with `skip` it leaves what cannot be undone. Throws what `promote` throws. */
  resume(input: { model: string; actor: string; skip?: boolean | undefined; requestId: string }): Promise<Heard>;
}

/** What the cycle made of a message. */
export interface Heard {
  /** `waiting`: no worker answers now; the cycle judges the message once one does. */
  status: 'taken' | 'waiting';
  /** What will happen. */
  note: string;
}
