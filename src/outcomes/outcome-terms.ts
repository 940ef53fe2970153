import { outcomesOf } from '../interactions/index.js';
import { type MeasuredMetric, POSITIVE_FEEDBACK } from '../policy/index.js';

/** What an outcome is. */
export interface OutcomeTerms {
  /** Share of a rating's range from which it is positive. */
  minRating: number;
  /** Positive feedback when left out. */
  primary?: MeasuredMetric;
  /** Q of the slow_rate metrics by their names, in milliseconds. */
  slowLimits?: Readonly<Record<string, number | null>>;
}

/** Kinds that say nothing of an interaction to which there is no feedback. */
const BY_FEEDBACK: readonly string[] = ['positive_feedback', 'score', 'accuracy', 'f1'];

/** The terms as they are stored: the same for terms that mean the same. */
export function storedTerms({ minRating, primary, slowLimits = {} }: OutcomeTerms): string {
  if (primary === undefined || primary.kind === 'positive_feedback') return JSON.stringify({ minRating });
  if (primary.kind !== 'slow_rate') return JSON.stringify({ minRating, primary });
  return JSON.stringify({ minRating, primary, slowLimits: { [primary.name]: slowLimits[primary.name] ?? null } });
}

/** The query of the outcomes of `interactions`, see `outcomesOf`, and whether there is one only where there is feedback. */
export function outcomesSql(
  { minRating, primary, slowLimits = {} }: OutcomeTerms,
  names: { interactions: string; asOf: string; parameter: (value: unknown) => string },
): { query: string; byFeedback: boolean } {
  const metric = primary ?? POSITIVE_FEEDBACK;
  return {
    query: outcomesOf(metric, { ...names, minRating, slowLimits }),
    byFeedback: BY_FEEDBACK.includes(metric.kind),
  };
}
