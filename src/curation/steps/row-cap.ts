import { leaveOut } from '../row.js';
import type { Step } from '../step.js';

/** Keeps the newest `max_rows` rows. */
export const rowCap: Step = {
  name: 'row_cap',
  prepare({ curation }) {
    let kept = 0;
    return (row) => {
      if (kept >= curation.max_rows) return leaveOut('row_cap');
      kept += 1;
      return row;
    };
  },
};
