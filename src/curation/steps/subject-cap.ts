import { leaveOut } from '../row.js';
import type { Step } from '../step.js';

/** Keeps the newest `max_rows_per_subject` rows of a subject, so that nobody's habits outweigh everybody's. */
export const subjectCap: Step = {
  name: 'subject_cap',
  prepare({ curation }) {
    const kept = new Map<string, number>();
    return (row) => {
      if (row.subject === null) return row;
      const before = kept.get(row.subject) ?? 0;
      if (before >= curation.max_rows_per_subject) return leaveOut('subject_cap');
      kept.set(row.subject, before + 1);
      return row;
    };
  },
};
