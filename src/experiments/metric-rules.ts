import { isShare, type MeasuredMetric, type Metric, type Policy, primaryOf } from '../policy/index.js';

/** How a metric is made of what was measured, and which way it is better; frozen with the experiment. */
export interface MetricRule {
  readonly name: string;
  /** share: of interactions, between 0 and 1; number: anything, in a unit of its own */
  readonly type: 'share' | 'number';
  readonly better: 'higher' | 'lower';
  /** the metrics that are measured for it, and what one unit of each adds; one of weight 1 unless it is a composite */
  readonly weights: Readonly<Record<string, number>>;
  /** least and most that it can be; null when that is not known */
  readonly range: readonly [number, number] | null;
}

const LESS_IS_BETTER: readonly string[] = ['correction_rate', 'error_rate', 'slow_rate', 'latency', 'cost_per_answer'];

export function ruleOfMetric(metric: Metric): MetricRule {
  const { name, kind } = metric;
  const lower = kind === 'score' ? metric.better === 'lower' : LESS_IS_BETTER.includes(kind);
  const share = isShare(metric);
  return {
    name,
    type: share ? 'share' : 'number',
    better: lower ? 'lower' : 'higher',
    weights: kind === 'composite' ? metric.weights : { [name]: 1 },
    range: share ? [0, 1] : kind === 'score' ? metric.range : null,
  };
}

type Declared = Pick<Policy['experiment'], 'primary'> & { metrics?: Policy['experiment']['metrics'] };

/** The primary metric's rule; undefined for positive feedback, which is what arms are summed for anyway. */
export function ruleOfPrimary(experiment: Declared): MetricRule | undefined {
  const primary = primaryOf(experiment);
  return primary.kind === 'positive_feedback' ? undefined : ruleOfMetric(primary);
}

/** The metric whose outcomes stand in the sums of the arms: the primary one, or of a composite the first that it weighs. */
export function outcomeMetricOf(experiment: Declared): MeasuredMetric {
  const primary = primaryOf(experiment);
  if (primary.kind !== 'composite') return primary;
  const [first] = Object.keys(primary.weights);
  return measuredMetrics(experiment).find(({ name }) => name === first)!;
}

/** The declared metrics that have a value for each interaction. */
export function measuredMetrics({ metrics = [] }: Declared): MeasuredMetric[] {
  return metrics.filter((metric) => metric.kind !== 'composite');
}

/** Of those, the ones that some rules are made of. */
export function metricsOf(experiment: Declared, rules: readonly MetricRule[]): MeasuredMetric[] {
  const wanted = new Set(rules.flatMap(({ weights }) => Object.keys(weights)));
  return measuredMetrics(experiment).filter(({ name }) => wanted.has(name));
}
