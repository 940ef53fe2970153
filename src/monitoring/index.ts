export { type OutcomeUpkeep, startOutcomeUpkeep, type UpkeepResult } from './outcome-upkeep.js';
export type { Halt } from './pending-halts.js';
export type { Judged } from './stop-experiment.js';
export { type PassResult, startWatchLoop, type WatchDeps, type WatchLogger, type WatchLoop } from './watch-loop.js';
