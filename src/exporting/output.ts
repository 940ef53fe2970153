import type { Exported } from '../interactions/index.js';

/** Where exported interactions go. */
export interface Output {
  /** Resolves when there is room for more. */
  write(records: readonly Exported[]): Promise<void>;
  /** Resolves when everything is written. */
  finish(): Promise<void>;
  /** Leaves nothing behind that looks whole. */
  abandon(): Promise<void>;
}
