export { type Hold, holdAdapter, readHolds, releaseAdapter } from './holds.js';
export { type Pruned, pruneAdapters } from './prune-adapters.js';
