export { type Collection, collect, datasetIdOf } from './collect.js';
export { curate, type Verdict } from './curate.js';
export { goldenQuestionKeys } from './golden-questions.js';
