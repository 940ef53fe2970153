export { createServer, type ServerParts } from './create-server.js';
export type { Operations } from './operations.js';
