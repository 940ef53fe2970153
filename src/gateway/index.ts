export type { CaptureLimits } from './capture-queue.js';
export { Leaving } from './client-signal.js';
export type { Secrets } from './directory.js';
export type { Endpoint } from './endpoint.js';
export { type Gateway, openGateway } from './gateway.js';
export type { GatewayStats } from './gateway-stats.js';
export type { ModelAnswer } from './model-call.js';
export { type OpenAiError, toOpenAiError } from './openai-error.js';
export type { SpoolOptions } from './spool.js';
