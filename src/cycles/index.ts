export { type CycleEnd, closeCycle } from './close-cycle.js';
export { type CyclePlan, type OpenCycleInput, type OpenedCycle, openCycle } from './open-cycle.js';
export { type Cycle, readCycle, readLiveCycle } from './read-cycle.js';
export { recordPhase } from './record-phase.js';
