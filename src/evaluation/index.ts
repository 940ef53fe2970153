export { type EvaluateInput, evaluate, type GateResult } from './evaluate.js';
export { type GoldenRow, type GoldenSet, readGoldenSet } from './golden-set.js';
