import { scoreOf } from '../given-feedback.js';
import { leaveOut } from '../row.js';
import type { Step } from '../step.js';

/** Leaves out what a `score` named quality puts below `min_quality`; a row that nobody scored passes. */
export const quality: Step = {
  name: 'quality',
  prepare:
    ({ curation }) =>
    (row) => {
      const score = scoreOf(row.feedback, 'quality');
      return score !== undefined && score < curation.min_quality ? leaveOut('low_quality') : row;
    },
};
