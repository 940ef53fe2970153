export { type Collection, collect, datasetIdOf } from './collect.js';
export { curate, type Verdict } from './curate.js';
export { questionKey } from './normalise.js';
export { noRedactions, type RedactionCounts, redact } from './redact.js';
