import { noRedactions, redact } from '../../redaction/index.js';
import type { Step } from '../step.js';

/** Replaces personal data in every turn, the answer and the comments by placeholders. Leaves nothing out. */
export const redaction: Step = {
  name: 'redaction',
  prepare({ curation }) {
    if (!curation.redact_pii) return (row) => row;
    return (row) => {
      const redactions = noRedactions();
      const clean = (text: string) => redact(text, redactions);
      const messages = row.messages.map(({ role, content }) => ({ role, content: clean(content) }));
      return { ...row, messages, answer: clean(row.answer), comments: row.comments.map(clean), redactions };
    };
  },
};
