export { competeForLeadership } from './leadership.js';
export { type Passes, runPasses } from './run-passes.js';
