import { leaveOut } from '../row.js';
import type { Step } from '../step.js';

export const emptyAnswer: Step = {
  name: 'empty_answer',
  prepare: () => (row) => (row.answer.trim() === '' ? leaveOut('empty_answer') : row),
};
