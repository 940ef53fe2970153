export { readShadows, type Shadow, startShadow, stopShadow } from './shadow.js';
export { type ShadowReport, showShadow } from './show-shadow.js';
export { type ShadowAnswer, storeShadowAnswer } from './store-shadow-answer.js';
