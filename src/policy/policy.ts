import { z } from 'zod';
import { UnderstudyError } from '../errors.js';
import { capture, feedback } from './capture-section.js';
import { curation } from './curation-section.js';
import { duration, formatDuration } from './duration.js';
import { experiment } from './experiment-section.js';
import { httpUrl, variable } from './fields.js';
import { misdeclared } from './metrics.js';
import { mirrors } from './mirrors-section.js';
import { modelName } from './model-name.js';
import { mostLooks } from './most-looks.js';
import { promotion } from './promotion-section.js';
import { trainer } from './trainer-section.js';

/** The shortest A/B test of a model that is not a sandbox: 48 hours, so that day and night are both in it twice. */
export const FLOOR_MS = 48 * 3_600_000;

const evaluation = z.strictObject({
  /** JSONL of `{"messages":[…]}` with the right answer last, as a path under UNDERSTUDY_ARTIFACTS or an `artifact:` URI. Null: recorded as `no_gate`. */
  golden_set: z.string().min(1).nullable().default(null),
  /** The candidate may be worse by at most this much (absolute, lower one-sided 95 % bound). */
  non_inferiority_margin: z.number().min(0).max(1).default(0.02),
});

const retention = z.strictObject({
  /**
   * Adapters of versions that nothing needs are dropped when they are neither among the newest `keep` that may serve nor
   * were in the route within `for`. Null: all are kept for ever.
   */
  adapters: z
    .strictObject({
      keep: z.int().min(0).max(10_000).default(5),
      for: duration.prefault('90d'),
    })
    .nullable()
    .default(null),
});

/** model.yaml: every field, its default and its range. Durations are strings outside and milliseconds inside. */
export const policySchema = z
  .strictObject({
    name: modelName,
    /** Hub id, local folder the trainer may read, or `artifact:` URI of the model that adapters are trained for. */
    base_model: z.string().min(1).max(500),
    /** Who answers for version 1. */
    upstream: z.strictObject({
      base_url: httpUrl,
      model: z.string().min(1).max(200),
      api_key: variable.nullable().default(null),
      /** From the request to the last byte of the answer. */
      timeout: duration.prefault('60s'),
      /** How often the gateway asks again before the first byte, where an upstream cannot be reached, breaks off or answers 502, 503 or 504. */
      retries: z.int().min(0).max(5).default(0),
    }),
    /** Lifts the 48 h floor, for demos and tests. Every record made under it says so for ever. */
    sandbox: z.boolean().default(false),
    trainer: trainer.prefault({}),
    serving: z
      .strictObject({
        /** `vllm`: dynamic LoRA loading as vLLM offers it. */
        provider: z.literal('vllm').default('vllm'),
        base_urls: z.array(httpUrl).min(1).max(32).default(['http://localhost:8901']),
        api_key: variable.nullable().default(null),
        /** How long a version that left the route keeps its adapter, so that requests under way can end. */
        drain: duration.prefault('60s'),
      })
      .prefault({}),
    triggers: z.strictObject({ min_new_examples: z.int().min(1).default(1_000) }).prefault({}),
    capture: capture.prefault({}),
    feedback: feedback.prefault({}),
    curation: curation.prefault({}),
    evaluation: evaluation.prefault({}),
    experiment: experiment.prefault({}),
    promotion: promotion.prefault({}),
    retention: retention.prefault({}),
    mirrors: mirrors.prefault({}),
  })
  .superRefine((policy, context) => {
    const { experiment, promotion } = policy;
    if (experiment.max_duration < experiment.min_duration) {
      context.addIssue({
        code: 'custom',
        path: ['experiment', 'max_duration'],
        message: 'must not be shorter than min_duration',
      });
    }
    for (const { path, message } of misdeclared(experiment))
      context.addIssue({ code: 'custom', path: ['experiment', path], message });
    if (experiment.look_every < 1_000) {
      context.addIssue({ code: 'custom', path: ['experiment', 'look_every'], message: 'must be at least 1s' });
    }
    // Each look is a step in the history of the cycle, which has to stay small enough to be read and replayed.
    const most = mostLooks({ shadowFirst: experiment.shadow_first !== null, manual: promotion.approval === 'manual' });
    if ((experiment.max_duration - experiment.min_duration) / experiment.look_every > most) {
      const message = `makes more than ${most} looks between min_duration and max_duration`;
      context.addIssue({ code: 'custom', path: ['experiment', 'look_every'], message });
    }
    if (experiment.feedback_window >= experiment.min_duration) {
      context.addIssue({
        code: 'custom',
        path: ['experiment', 'feedback_window'],
        message: 'must be shorter than min_duration, or the first look has no data',
      });
    }
  });

/** A policy as written: durations as strings, defaults left out. */
export type PolicyDocument = z.input<typeof policySchema>;
/** A policy with every default filled in and durations in milliseconds. */
export type Policy = z.output<typeof policySchema>;

/**
 * Checks a policy document and fills in its defaults.
 * Throws `invalid_policy` (every problem with its path), `policy_below_floor` or `policy_target_effect`.
 */
export function parsePolicy(document: unknown): Policy {
  const parsed = policySchema.safeParse(document);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'policy'}: ${issue.message}`);
    throw new UnderstudyError('invalid_policy', { detail: problems.join('; '), problems });
  }
  const policy = parsed.data;
  if (!policy.sandbox && policy.experiment.min_duration < FLOOR_MS) {
    throw new UnderstudyError('policy_below_floor', { given: formatDuration(policy.experiment.min_duration) });
  }
  if (policy.experiment.target_effect <= policy.experiment.min_effect) {
    throw new UnderstudyError('policy_target_effect', {
      target: policy.experiment.target_effect,
      minimum: policy.experiment.min_effect,
    });
  }
  return policy;
}
