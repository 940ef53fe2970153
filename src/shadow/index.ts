export { readShadows, type Shadow, startShadow, stopShadow } from './shadow.js';
export { endShadow, judgeShadow, type ShadowTrial, shadowCandidate } from './shadow-candidate.js';
export { type ShadowReport, showShadow } from './show-shadow.js';
export { type ShadowAnswer, storeShadowAnswer } from './store-shadow-answer.js';
