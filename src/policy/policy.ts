import { z } from 'zod';
import { UnderstudyError } from '../errors.js';
import { duration, formatDuration } from './duration.js';
import { freezeWindows } from './freeze.js';
import { metric, misdeclared } from './metrics.js';
import { modelName } from './model-name.js';
import { mostLooks } from './most-looks.js';

/** The shortest A/B test of a model that is not a sandbox: 48 hours, so that day and night are both in it twice. */
export const FLOOR_MS = 48 * 3_600_000;

const share = z.number().gt(0).max(0.5);
const probability = z.number().gt(0).lt(1);
/** Paths are put behind it, and it is stored and shown: nothing may follow its own path, and no secret may be in it. */
const httpUrl = z
  .url({ protocol: /^https?$/ })
  .refine(isPlainUrl, 'must not have a user, password, query or fragment; a secret belongs into api_key')
  .transform((url) => url.replace(/\/+$/, ''));
/** A reference to an environment variable, so that no secret is stored: `${UPSTREAM_API_KEY}`. */
const variable = z
  .string()
  .regex(/^\$\{[A-Z][A-Z0-9_]*\}$/, 'must name an environment variable: a dollar sign, and the name in braces');

const lora = z.strictObject({
  /** Rank of the adapter, 1 to 256. */
  rank: z.int().min(1).max(256).default(16),
  /** Scale of the adapter; usually twice the rank. */
  alpha: z.number().positive().default(32),
  dropout: z.number().min(0).lt(1).default(0.1),
  /** Peak learning rate; null leaves it to the trainer. */
  learning_rate: z.number().positive().max(1).nullable().default(null),
  /** Rows a step; null leaves it to the trainer. */
  batch_size: z.int().min(1).max(1024).nullable().default(null),
});

const trainer = z.strictObject({
  /** `reference`: the fine-tuning API with the `understudy` object, as spoken by trainer/. */
  provider: z.literal('reference').default('reference'),
  base_url: httpUrl.default('http://localhost:8900'),
  api_key: variable.nullable().default(null),
  lora: lora.prefault({}),
  epochs: z.int().min(1).max(100).default(2),
  /** From submit to finished; an absolute deadline. Later than this the job is cancelled. */
  max_duration: duration.prefault('8h'),
  seed: z.int().min(0).default(0),
});

const curation = z.strictObject({
  /** How far back from the start of the cycle interactions are collected. */
  lookback: duration.prefault('30d'),
  /** Least quality, 0 to 1: of a `score` named quality where one was given. */
  min_quality: z.number().min(0).max(1).default(0.7),
  /** A rating counts as positive from this share of its range on. */
  min_rating: z.number().min(0).max(1).default(0.75),
  pseudo_label_confidence: z.number().min(0).max(1).default(0.9),
  near_duplicate_similarity: z.number().gt(0).max(1).default(0.8),
  replay_share: z.number().min(0).lt(1).default(0.2),
  max_rows: z.int().min(1).max(10_000_000).default(100_000),
  max_rows_per_subject: z.int().min(1).default(50),
  max_self_generated: z.number().min(0).max(1).default(0.5),
  /** Share of subjects (not rows) whose rows validate. */
  validation_share: z.number().min(0).max(0.5).default(0.1),
  redact_pii: z.boolean().default(true),
  /** Regular expressions; a row in which one matches is left out (`blocked_pattern`). */
  blocked_patterns: z.array(z.string().max(500).refine(isRegExp, 'is not a regular expression')).max(100).default([]),
  /** Fewest and most characters of the answer that is trained on. */
  min_answer_chars: z.int().min(0).default(1),
  max_answer_chars: z.int().min(1).default(20_000),
});

const capture = z.strictObject({
  /**
   * Where personal data is replaced by placeholders. `curation`: in datasets only (`curation.redact_pii`); what is stored
   * is what was said. `capture`: before anything is stored, in the spool on disk too.
   */
  redact_at: z.enum(['capture', 'curation']).default('curation'),
});

const feedback = z.strictObject({
  /** Whether the gateway's answers carry `x-understudy-feedback-token`, with which a browser may rate that answer. */
  tokens: z.boolean().default(false),
  /** How long such a token is good for. */
  token_lifetime: duration.refine((ms) => ms >= 60_000 && ms <= 366 * 86_400_000, 'must be 1m to 366d').prefault('7d'),
  /** Most feedback of source `user` about one subject's interactions that is given on one day (UTC). Null: no limit. */
  max_per_subject_per_day: z.int().min(1).max(1_000_000).nullable().default(200),
});

/** The sections that capture goes by, with their defaults, of a whole policy document; other sections are not looked at. */
export const capturePolicySchema = z.object({ capture: capture.prefault({}), feedback: feedback.prefault({}) });
export type CapturePolicy = z.output<typeof capturePolicySchema>;

const evaluation = z.strictObject({
  /** JSONL of `{"messages":[…]}` with the right answer last, as a path under UNDERSTUDY_ARTIFACTS or an `artifact:` URI. Null: recorded as `no_gate`. */
  golden_set: z.string().min(1).nullable().default(null),
  /** The candidate may be worse by at most this much (absolute, lower one-sided 95 % bound). */
  non_inferiority_margin: z.number().min(0).max(1).default(0.02),
});

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

const experiment = z.strictObject({
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

const promotion = z.strictObject({
  /** `manual`: what the test decided waits until somebody approves it, by a message to promote. */
  approval: z.enum(['automatic', 'manual']).default('automatic'),
  /** How long it waits; then the champion stays. The arms go on meanwhile, and harm is looked for. */
  approval_timeout: duration.refine((ms) => ms >= 1_000 && ms <= 30 * 86_400_000, 'must be 1s to 30d').prefault('72h'),
  /** How many different people have to approve, or to ask for a promotion by hand. */
  approvals: z.union([z.literal(1), z.literal(2)], { error: 'must be 1 or 2' }).default(1),
  /** When nothing is promoted: windows of every day, of the week, or once. What was decided waits for their end. */
  freeze: freezeWindows,
  /** How long the holdback stays on the previous champion after a promotion. */
  bake: duration.prefault('24h'),
  holdback: share.default(0.1),
  /**
   * The promotion is undone when the new champion is worse than the holdback by more than this (always-valid upper bound), in
   * the unit of `experiment.primary`.
   */
  max_degradation: z.number().min(0).default(0.01),
  /** After a promotion, a conversation that was under way stays on its version for so long. Nothing else is held up by it. */
  session_stickiness: duration.prefault('30m'),
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

/** What a webhook may be told; see docs/mirrors.md. */
const MIRROR_EVENTS = [
  'promoted',
  'rejected',
  'rolled_back',
  'needs_operator',
  'cycle_ended',
  'route_changed',
] as const;
const mirrorName = z.string().regex(/^[a-z0-9_-]{1,40}$/, 'must be 1 to 40 of a-z, 0-9, "_", "-"');

const webhook = z
  .strictObject({
    /** Its name in `understudy mirror status`; unique, and not `mlflow`. */
    name: mirrorName,
    /** Where events are posted to; the name of a variable where the address itself is a secret. */
    url: z.union([variable, httpUrl], { error: 'must be an http(s) address without a secret, or name a variable' }),
    /** What events are signed with; needed for format `understudy`. */
    secret: variable.nullable().default(null),
    /** `slack`: a text as incoming webhooks of Slack take it, unsigned. */
    format: z.enum(['understudy', 'slack']).default('understudy'),
    events: z
      .array(z.enum(MIRROR_EVENTS))
      .min(1)
      .default(['promoted', 'rejected', 'rolled_back', 'needs_operator', 'cycle_ended']),
  })
  .refine(({ format, secret }) => format === 'slack' || secret !== null, {
    path: ['secret'],
    message: 'must name the variable that events are signed with',
  });

const mirrors = z.strictObject({
  webhooks: z
    .array(webhook)
    .max(16)
    .default([])
    .refine((list) => new Set(['mlflow', ...list.map(({ name }) => name)]).size === list.length + 1, {
      message: 'must have names of their own, none of them mlflow',
    }),
  /** The MLflow registry that is kept like ours: versions, tags, aliases champion, previous, challenger. */
  mlflow: z
    .strictObject({
      /** Of the tracking server, without /api. */
      url: httpUrl,
      /** Value of the header `authorization`, e.g. `Bearer …`. */
      authorization: variable.nullable().default(null),
      /** Null: the model's name. */
      registered_model: z
        .string()
        .regex(/^[A-Za-z0-9 ._-]{1,200}$/)
        .nullable()
        .default(null),
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

/**
 * An address that a variable of a policy stands for, checked as those that are written there, but for the query: it may
 * be part of the secret. Throws `invalid_policy`, without repeating it.
 */
export function secretUrl(text: string): string {
  const parsed = z.url({ protocol: /^https?$/ }).safeParse(text);
  if (parsed.success && isPlainUrl(text.replace(/[?#].*$/, ''))) return text;
  throw new UnderstudyError('invalid_policy', { detail: 'the variable of a webhook url is no http(s) address' });
}

function isPlainUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { username, password, search, hash } = new URL(text);
  return [username, password, search, hash].every((part) => part === '');
}

function isEachOnce(guardrails: readonly { metric: string }[]): boolean {
  return new Set(guardrails.map(({ metric }) => metric)).size === guardrails.length;
}

function isNotBuiltIn(name: string): boolean {
  return name !== 'error_rate' && name !== 'slow_rate';
}

function isRegExp(source: string): boolean {
  try {
    new RegExp(source, 'iu');
    return true;
  } catch {
    return false;
  }
}
