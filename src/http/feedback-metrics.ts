import { Counter, type Registry } from 'prom-client';

/** What became of feedback beside being stored. */
export interface FeedbackMetrics {
  overLimit(count: number): void;
  expired(count: number): void;
}

export function createFeedbackMetrics(registry: Registry): FeedbackMetrics {
  const overLimit = new Counter({
    name: 'understudy_feedback_over_limit_total',
    help: 'Feedback refused because its subject had given the most of a day (feedback.max_per_subject_per_day)',
    registers: [registry],
  });
  const expired = new Counter({
    name: 'understudy_feedback_expired_total',
    help: 'Feedback deleted because its interaction did not come in time',
    registers: [registry],
  });
  return { overLimit: (count) => overLimit.inc(count), expired: (count) => expired.inc(count) };
}
