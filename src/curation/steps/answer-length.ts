import { leaveOut } from '../row.js';
import type { Step } from '../step.js';

/** Bounds the answer, in characters after trimming. */
export const answerLength: Step = {
  name: 'answer_length',
  prepare:
    ({ curation }) =>
    (row) => {
      const { length } = row.answer.trim();
      if (length < curation.min_answer_chars) return leaveOut('too_short');
      return length > curation.max_answer_chars ? leaveOut('too_long') : row;
    },
};
