export { startEmbeddedPostgres } from './embedded-postgres.js';
export { freePort, isListening, onFreePort } from './free-port.js';
export { buildBaseModel, startAdapterServer } from './reference-trainer.js';
export { SERVER_FLAGS } from './server-flags.js';
export { type Stack, startStack } from './start-stack.js';
export type { SupervisedChild } from './supervised-child.js';
export { openSupervisor, type Supervisor, type SupervisorEvent } from './supervisor.js';
export { startTemporalDevServer } from './temporal-dev-server.js';
