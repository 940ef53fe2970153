import { questionKey } from '../normalise.js';
import { leaveOut } from '../row.js';
import type { Step } from '../step.js';

/** What a version is judged on must never have been learned, whatever the answer was. */
export const golden: Step = {
  name: 'golden',
  prepare:
    ({ goldenQuestions }) =>
    (row) =>
      goldenQuestions.has(questionKey(row.messages)) ? leaveOut('golden') : row,
};
