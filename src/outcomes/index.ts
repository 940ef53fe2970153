export { dropOutcomes } from './drop-outcomes.js';
export { type FoldedOutcomes, foldOutcomes } from './fold-outcomes.js';
export { type KeptCut, keepOutcomes } from './keep-outcomes.js';
export { type OutcomeTerms, storedTerms } from './outcome-terms.js';
export { type CutSums, type CutsRequest, readOutcomeSums } from './read-outcome-sums.js';
