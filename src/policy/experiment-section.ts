import { z } from 'zod';
import { duration } from './duration.js';
import { probability, share } from './fields.js';
import { metric } from './metrics.js';

/** What a promotion must not cost. */
const guardrail = z.union(
  [
    /** Failed requests: at most this much more of them than the champion's (absolute). Stops the experiment when it is certain. */
    z.strictObject({ metric: z.literal('error_rate'), margin: z.number().gt(0).lt(1) }),
    /** Slow requests, over max_ratio times the champion's 95th percentile: shown to be fewer than 5 %, or no promotion. */
    z.strictObject({ metric: z.literal('slow_rate'), max_ratio: z.number().gte(1).max(100) }),
    /** A declared metric: at most this much worse than the champion's, in its own unit. Stops the experiment when it is certain. */
    z.strictObject({
      metric: z.string().refine(isNotBuiltIn, 'takes a margin below 1 (error_rate) or max_ratio (slow_rate)'),
      margin: z.number().gt(0),
    }),
  ],
  { error: 'must be {metric: error_rate, margin}, {metric: slow_rate, max_ratio} or {metric: one of metrics, margin}' },
);

/** How champion and challenger are compared, and what decides. */
export const experiment = z.strictObject({
  /**
   * `test`: the share is constant and a z-test decides. `bandit`: at every look the share follows the probability that the
   * challenger is the better one; fewer people get the worse answer, and no test is claimed.
   */
  mode: z.enum(['test', 'bandit']).default('test'),
  /** Of mode `bandit`. */
  bandit: z
    .strictObject({
      /** The challenger is adopted from this probability on that it is the better one. */
      adopt_at: z.number().gt(0.5).lt(1).default(0.95),
      /** It is dropped from this probability down. */
      drop_at: z.number().gt(0).lt(0.5).default(0.05),
    })
    .prefault({}),
  /** Before it answers people, the challenger answers copies of their requests, unseen. Null: it does not. */
  shadow_first: z
    .strictObject({
      /** How long. */
      duration: duration.refine((ms) => ms >= 1_000 && ms <= 30 * 86_400_000, 'must be 1s to 30d').prefault('24h'),
      /** Of the requests. */
      share: z.number().gt(0).max(1).default(0.1),
      /** With fewer copies nothing is concluded, and the experiment does not start. */
      min_answers: z.int().min(1).default(200),
      /** One that fails more of them is rejected. */
      max_error_rate: z.number().min(0).lt(1).default(0.05),
    })
    .nullable()
    .default(null),
  /** The metric that decides: `positive_feedback`, or the name of one of `metrics`. */
  primary: z.string().max(64).default('positive_feedback'),
  /** What is measured at every look. */
  metrics: z.array(metric).max(20).default([]),
  /** Share of subjects on the challenger. */
  share: share.default(0.1),
  min_duration: duration.prefault('48h'),
  max_duration: duration.prefault('120h'),
  look_every: duration.prefault('24h'),
  /** Interactions with an outcome, in each arm. */
  min_samples_per_arm: z.int().min(1).default(1_000),
  min_subjects_per_arm: z.int().min(2).default(100),
  /** How long after an interaction its feedback may come before a look counts it as unrated. */
  feedback_window: duration.prefault('6h'),
  /** Two-sided; the decision is one-sided at alpha/2. */
  alpha: probability.default(0.05),
  power: probability.default(0.8),
  /** Absolute difference that is worth a promotion, in the unit of `primary`. */
  min_effect: z.number().min(0).default(0.02),
  /** Absolute difference the test is planned for; larger than min_effect. */
  target_effect: z.number().gt(0).default(0.05),
  /**
   * `group_sequential`: every planned look may decide, each with its part of alpha (O'Brien-Fleming type spending);
   * `fixed`: one look with all of alpha, the first at which all floors hold.
   */
  test: z.enum(['group_sequential', 'fixed']).default('group_sequential'),
  guardrails: z
    .array(guardrail)
    .max(10)
    .refine(isEachOnce, 'names a metric twice')
    .default([{ metric: 'error_rate', margin: 0.01 }]),
});

function isEachOnce(guardrails: readonly { metric: string }[]): boolean {
  return new Set(guardrails.map(({ metric }) => metric)).size === guardrails.length;
}

function isNotBuiltIn(name: string): boolean {
  return name !== 'error_rate' && name !== 'slow_rate';
}
