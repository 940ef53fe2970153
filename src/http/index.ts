export { createServer, type ServerParts, VERSION } from './create-server.js';
export type { Operations } from './operations.js';
