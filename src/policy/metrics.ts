import { z } from 'zod';

const name = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,63}$/, 'must be 1 to 64 of a-z, 0-9 and "_", beginning with a letter')
  .optional();
const price = z.number().min(0).max(1_000_000);
const prices = { prompt_per_million: price, completion_per_million: price };
/** Whose corrections are the truth: the latest one given by any of these sources. */
const sources = z.array(z.string().min(1).max(64)).min(1).max(20).default(['reviewer', 'system']);
/** Where in the JSON of an answer: keys and positions, with dots between them. */
const field = z.string().regex(/^[^.\s]+(\.[^.\s]+){0,9}$/, 'must be keys with dots between them, such as "order.id"');

const measured = z.discriminatedUnion('kind', [
  /** Positive among rated; what `primary` is when nothing else is said. */
  z.strictObject({ kind: z.literal('positive_feedback'), name }),
  /** Answers that somebody corrected, among all answers. */
  z.strictObject({ kind: z.literal('correction_rate'), name }),
  /** Failed requests, among all. */
  z.strictObject({ kind: z.literal('error_rate'), name }),
  /** Slower than max_ratio times the champion's 95th percentile of the 7 days before the start, among timed. */
  z.strictObject({ kind: z.literal('slow_rate'), name, max_ratio: z.number().gte(1).max(100).default(1.5) }),
  /** Milliseconds, on average. */
  z.strictObject({ kind: z.literal('latency'), name }),
  /** Tokens times prices, on average; an answer of which no tokens are known costs nobody knows what. */
  z.strictObject({
    kind: z.literal('cost_per_answer'),
    name,
    ...prices,
    /** Other prices for what these versions answered. */
    versions: z.record(z.string().regex(/^[1-9]\d{0,9}$/), z.strictObject(prices)).default({}),
  }),
  /** The latest score of that name, on average. */
  z.strictObject({
    kind: z.literal('score'),
    name,
    score: z.string().min(1).max(128),
    better: z.enum(['higher', 'lower']).default('higher'),
    /** Least and most it can be: what scores that are missing in one arm only are taken for. Null: not known. */
    range: z
      .tuple([z.number(), z.number()])
      .refine(([low, high]) => low < high, 'must be the least and the most')
      .nullable()
      .default(null),
  }),
  /** Graded as good, among those of the blind review sample that were graded (`understudy review`). */
  z.strictObject({
    kind: z.literal('review'),
    name,
    /** From this grade, 0 to 1, an answer is good. */
    pass: z.number().gt(0).max(1).default(0.5),
    /** Whose grades count: the latest one of any of these. */
    sources: z.array(z.string().min(1).max(64)).min(1).max(20).default(['reviewer']),
  }),
  /** The same as the truth that became known later, among answers with one. `field`: in that field of the JSON only. */
  z.strictObject({ kind: z.literal('accuracy'), name, field: field.nullable().default(null), sources }),
  /** 2·right/(given + true) of a field of the JSON that may be there or not. */
  z.strictObject({ kind: z.literal('f1'), name, field, sources }),
]);

const composite = z.strictObject({
  kind: z.literal('composite'),
  name,
  /** Names of other metrics, and what one unit of each is worth; below 0 where less is better. */
  weights: z
    .record(
      z.string(),
      z.number().refine((weight) => weight !== 0, 'must not be 0'),
    )
    .refine((weights) => Object.keys(weights).length > 1, 'needs at least two metrics'),
});

/** A declared metric. Without a name it is called what it is. */
export const metric = z
  .discriminatedUnion('kind', [measured, composite])
  .transform((declared) => ({ ...declared, name: declared.name ?? declared.kind }));

export type Metric = z.output<typeof metric>;
/** A metric that has a value for each interaction that it was measured on. */
export type MeasuredMetric = Exclude<Metric, { kind: 'composite' }>;

/** Kinds of which an interaction has 1 or 0. */
const SHARES: readonly string[] = [
  'positive_feedback',
  'correction_rate',
  'error_rate',
  'slow_rate',
  'accuracy',
  'review',
];

const KINDS: readonly string[] = [...SHARES, 'latency', 'cost_per_answer', 'score', 'f1', 'composite'];

/** Is the metric a share of interactions, so that it is tested as one? */
export function isShare({ kind }: Pick<Metric, 'kind'>): boolean {
  return SHARES.includes(kind);
}

/** What decides where a policy says nothing. */
export const POSITIVE_FEEDBACK: MeasuredMetric & { kind: 'positive_feedback' } = {
  kind: 'positive_feedback',
  name: 'positive_feedback',
};

/** The metric that decides. */
export function primaryOf(experiment: { primary: string; metrics?: readonly Metric[] }): Metric {
  const declared = experiment.metrics?.find(({ name }) => name === experiment.primary);
  return declared ?? POSITIVE_FEEDBACK;
}

/** What is wrong with the metrics of a policy, each with the field it is about. */
export function misdeclared(experiment: {
  mode: string;
  primary: string;
  metrics: readonly Metric[];
  guardrails: readonly { metric: string }[];
  min_effect: number;
  target_effect: number;
}): { path: string; message: string }[] {
  const { mode, primary, metrics, guardrails } = experiment;
  const names = metrics.map((declared) => declared.name);
  const known = (wanted: string) => names.includes(wanted);
  const found: { path: string; message: string }[] = [];
  if (new Set(names).size < names.length) found.push({ path: 'metrics', message: 'names a metric twice' });
  for (const { name, kind } of metrics)
    if (name !== kind && KINDS.includes(name))
      found.push({ path: 'metrics', message: `${name} is a kind of metric, and cannot be the name of a ${kind}` });
  if (primary !== 'positive_feedback' && !known(primary))
    found.push({ path: 'primary', message: `must be positive_feedback or one of metrics, not ${primary}` });
  if (
    mode === 'bandit' &&
    (primary !== 'positive_feedback' || guardrails.some((guard) => guard.metric !== 'error_rate'))
  )
    found.push({ path: 'mode', message: 'bandit goes by positive_feedback, with the guardrail error_rate at most' });
  for (const { metric: guarded } of guardrails)
    if (!['error_rate', 'slow_rate'].includes(guarded) && !known(guarded))
      found.push({ path: 'guardrails', message: `must be error_rate, slow_rate or one of metrics, not ${guarded}` });
  for (const declared of metrics) {
    if (declared.kind !== 'composite') continue;
    for (const part of Object.keys(declared.weights))
      if (!metrics.some((other) => other.name === part && other.kind !== 'composite'))
        found.push({
          path: 'metrics',
          message: `${declared.name} weighs ${part}, which is not one of the other metrics`,
        });
  }
  if (isShare(primaryOf(experiment)))
    for (const effect of ['min_effect', 'target_effect'] as const)
      if (experiment[effect] >= 1)
        found.push({ path: effect, message: 'must be below 1: it is a difference of shares' });
  return found;
}
