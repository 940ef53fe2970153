import { exampleKey } from '../normalise.js';
import { leaveOut } from '../row.js';
import type { Step } from '../step.js';

/** Of equal examples (case and white space aside) keeps the latest. */
export const duplicate: Step = {
  name: 'duplicate',
  prepare() {
    const seen = new Set<string>();
    return (row) => {
      const key = exampleKey(row.messages, row.answer);
      if (seen.has(key)) return leaveOut('duplicate');
      seen.add(key);
      return row;
    };
  },
};
