export { retrainingCycle } from './retraining-cycle.js';
export { rollback } from './rollback.js';
