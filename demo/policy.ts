import type { Scenario } from '#setup/demo-options.mjs';
import type { PolicyDocument } from '../src/policy/index.js';

/** The model of the support desk. */
export const MODEL = 'support-desk';

export interface DemoPolicyInput {
  scenario: Scenario;
  skipEvaluation: boolean;
  seed: number;
  /** Folder of the base model. */
  base: string;
  trainerUrl: string;
  adapterServerUrl: string;
  /** `artifact:` URI or path of the golden set, relative to the artifact store. */
  goldenSet: string;
}

/**
 * The policy of a demo run: a sandbox, so that the A/B test may last seconds instead of 48 hours; everything else is
 * what a real policy has. Half of the customers meet the challenger, because the demo's traffic is small.
 */
export function demoPolicy(input: DemoPolicyInput): PolicyDocument {
  const { scenario } = input;
  return {
    name: MODEL,
    base_model: input.base,
    upstream: { base_url: `${input.adapterServerUrl}/v1`, model: 'base', timeout: '20s' },
    sandbox: true,
    trainer: {
      base_url: input.trainerUrl,
      // What the base answers right teaches it something too, if it is taught eagerly enough.
      lora: { rank: 32, alpha: 64, dropout: 0, learning_rate: scenario === 'no-better' ? 1e-4 : null },
      epochs: scenario === 'no-better' ? 1 : 4,
      max_duration: '20m',
      seed: input.seed,
    },
    serving: { base_urls: [input.adapterServerUrl], drain: '2s' },
    // The customers ask thousands of questions; what only confirms the base is little when it is often wrong.
    triggers: { min_new_examples: 300 },
    curation: { lookback: '1d', max_rows_per_subject: 1_000 },
    evaluation: {
      golden_set: input.skipEvaluation ? null : input.goldenSet,
      // A candidate that learnt nothing new is a little worse by forgetting; the wide margin lets it reach its A/B test.
      non_inferiority_margin: scenario === 'no-better' ? 0.1 : 0.02,
    },
    experiment: {
      share: 0.5,
      min_duration: '25s',
      max_duration: '60s',
      look_every: '10s',
      feedback_window: '2s',
      min_samples_per_arm: 500,
      min_subjects_per_arm: 100,
      target_effect: 0.08,
    },
    promotion: { bake: '15s', holdback: 0.2, max_degradation: 0.02 },
  };
}
