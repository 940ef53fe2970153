import type { Scenario } from '#setup/demo-options.mjs';
import type { CustomerTotals } from './customers.js';

/** All that the terminal shows, as of one moment. What is not known yet is null. */
export interface DemoSnapshot {
  scenario: Scenario;
  seed: number;
  /** What is going on, in the workflow's words (`training`, `experimenting`, …) or the demo's (`asking`). */
  phase: string;
  /** Seconds since the phase began, and since the demo began. */
  phaseSeconds: number;
  seconds: number;
  /** Questions asked before the cycle; only shown in the phase `asking`. */
  asking: { asked: number; of: number } | null;
  training: { step: number; total: number; loss: number | null } | null;
  experiment: {
    champion: { version: number; n: number; x: number };
    challenger: { version: number; n: number; x: number };
    z: number | null;
  } | null;
  traffic: CustomerTotals;
}
