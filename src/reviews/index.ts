export { type Drawn, drawSample } from './draw-sample.js';
export { type Grade, type Graded, grade, gradeItems, gradeSource } from './grade-items.js';
export { type ReviewItem, readItems } from './read-items.js';
export { type ReviewStatus, reviewStatus } from './review-status.js';
