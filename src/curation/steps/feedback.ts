import { commentsOf, signalOf } from '../given-feedback.js';
import { leaveOut } from '../row.js';
import type { Step } from '../step.js';

/** Keeps answers that somebody called right; a correction takes the place of the model's answer. */
export const feedback: Step = {
  name: 'feedback',
  prepare:
    ({ curation }) =>
    (row) => {
      const signal = signalOf(row.feedback, curation.min_rating);
      const comments = commentsOf(row.feedback);
      switch (signal.kind) {
        case 'correction':
          return { ...row, comments, answer: signal.answer, corrected: true };
        case 'positive':
          return { ...row, comments };
        case 'negative':
          return leaveOut('negative_feedback');
        case 'none':
          return leaveOut('no_feedback');
      }
    },
};
