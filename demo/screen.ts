import type { DemoOptions } from '#setup/demo-options.mjs';
import type { CycleStatus } from '../src/temporal/index.js';
import type { Customers } from './customers.js';
import type { TrainingProgress } from './follow-cycle.js';
import type { Progress } from './progress.js';
import type { DemoSnapshot } from './snapshot.js';

/** What the demo tells the terminal; every phase is shown, also one that was over before anybody looked. */
export interface Screen {
  /** Customers ask before the cycle, `of` questions in all. */
  asking(of: number): void;
  cycle(status: CycleStatus, training: TrainingProgress | null, arms: DemoSnapshot['experiment']): void;
}

type PhaseFacts = Pick<DemoSnapshot, 'asking' | 'training' | 'experiment'>;

/** @param startedAt of the demo, by `performance.now()` */
export function createScreen(
  options: DemoOptions,
  customers: Customers,
  progress: Progress,
  startedAt: number,
): Screen {
  const now = () => performance.now();
  let askingAt: number | undefined;
  let shown = 0;
  const update = (phase: string, phaseSeconds: number, facts: PhaseFacts) =>
    progress.update({
      scenario: options.scenario,
      seed: options.seed,
      phase,
      phaseSeconds,
      seconds: (now() - startedAt) / 1000,
      traffic: customers.totals(),
      ...facts,
    });
  return {
    asking(of) {
      askingAt ??= now();
      const asking = { asked: customers.totals().requests, of };
      update('asking', (now() - askingAt) / 1000, { asking, training: null, experiment: null });
    },
    cycle({ phases }, training, experiment) {
      const step = training?.step ?? null;
      const job = step === null ? null : { step, total: training?.totalSteps ?? step, loss: training?.loss ?? null };
      for (const [index, { phase, startedAt: from }] of phases.entries()) {
        if (index < shown) continue;
        const until = Date.parse(phases[index + 1]?.startedAt ?? new Date().toISOString());
        update(phase, Math.max(0, until - Date.parse(from)) / 1000, { asking: null, training: job, experiment });
      }
      // The last one goes on: it is shown again with its newest figures.
      shown = Math.max(0, phases.length - 1);
    },
  };
}
