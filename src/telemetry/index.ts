export { createLogger } from './logger.js';
export { openTracing } from './open-tracing.js';
export type { CallSpan, TracedCall, TracedEnd, Tracing } from './tracing.js';
