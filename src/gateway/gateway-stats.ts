import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { CaptureStats } from './capture-queue.js';
import type { ShadowStats } from './shadow-traffic.js';

/** What a gateway has done since it started. */
export interface GatewayStats extends CaptureStats, ShadowStats {
  /** Chat completions asked for, refused ones included. */
  requests: number;
  /** Answered with an error of ours or of an upstream. */
  failures: number;
  /** Answered by the champion because the version of the arm could not. */
  fallbacks: number;
  /** Came without a subject, and so outside any experiment. */
  withoutSubject: number;
}

export interface GatewayMetrics {
  registry: Registry;
  /** Seconds from the complete request to the complete answer. */
  observe(seconds: number, outcome: 'complete' | 'incomplete' | 'failed'): void;
}

const COUNTERS = {
  requests: ['understudy_gateway_requests_total', 'Chat completions asked for, refused ones included'],
  failures: ['understudy_gateway_failures_total', 'Chat completions answered with an error'],
  fallbacks: [
    'understudy_gateway_fallbacks_total',
    'Answered by the champion because the version of the arm could not',
  ],
  withoutSubject: [
    'understudy_gateway_without_subject_total',
    'Requests without a subject, and so outside any experiment',
  ],
  captured: ['understudy_captured_interactions_total', 'Interactions captured and stored'],
  exposures: ['understudy_recorded_exposures_total', 'Exposures recorded; of a subject that comes back soon, one'],
  spooled: ['understudy_spooled_captures_total', 'Captures written to the spool because Postgres did not keep up'],
  replayed: ['understudy_replayed_captures_total', 'Captures of the spool given to Postgres'],
  torn: ['understudy_torn_captures_total', 'Lines of the spool that were not written whole'],
  shadowed: ['understudy_shadow_answers_total', 'Copies of requests that a shadow was asked, and stored answers of it'],
  shadowSkipped: ['understudy_shadow_skipped_total', 'Copies not asked for want of room, or not stored'],
  dropped: ['understudy_dropped_captures_total', 'Captures given up; zero in a healthy system'],
} as const satisfies Partial<Record<keyof GatewayStats, readonly [string, string]>>;

/** A registry of its own. No label names a model or a subject: the metrics are readable without a key. */
export function createGatewayMetrics(stats: () => GatewayStats): GatewayMetrics {
  const registry = new Registry();
  for (const [field, [name, help]] of Object.entries(COUNTERS)) {
    new Counter({
      name,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(stats()[field as keyof typeof COUNTERS]);
      },
    });
  }
  new Gauge({
    name: 'understudy_queued_captures',
    help: 'Captures that wait to be written',
    registers: [registry],
    collect() {
      this.set(stats().queued);
    },
  });
  new Gauge({
    name: 'understudy_spool_bytes',
    help: 'Bytes in the spool',
    registers: [registry],
    collect() {
      this.set(stats().spoolBytes);
    },
  });
  const duration = new Histogram({
    name: 'understudy_gateway_duration_seconds',
    help: 'From the complete request to the complete answer',
    labelNames: ['outcome'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120],
    registers: [registry],
  });
  return { registry, observe: (seconds, outcome) => duration.observe({ outcome }, seconds) };
}
